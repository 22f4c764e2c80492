"""Members (成员): people of an organisation's subtree, for its administrators and auditors."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ADMINISTRATOR, AUDITOR, READER, allow
from app.api.deps import CardFilter, CurrentPerson, EndedLogins, NameFilter, PageQuery, Reader, Tx
from app.api.guesses import CARD_GUESS, Guess
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.core.ratelimit import Limit
from app.models.cards import CardStatus
from app.schemas.base import Id, OrgId
from app.schemas.members import MemberDetailOut, MemberOut, MemberReasonIn
from app.services import members
from app.services.members import (
    MemberWrongState,
    OwnAccount,
    RoleElsewhere,
    RoleOnly,
    SuspendedAbove,
)
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import PersonMerged, PersonNotFound
from app.services.roles import LastAdministrator

ABOUT = Bilingual(
    "成员：查询、停用与恢复账号和卡", "Members: finding, suspending and restoring people and cards"
)
router = Router(prefix="/people", tags=["members"], about=ABOUT)
# Each look at people is an entry in the audit trail: sixty at once, then one in 10 s.
LOOKS = Limit("look", burst=60, per_second=1 / 10)
OrgQuery = Annotated[
    Id | None, Query(description="Id of the organisation; without it the lowest that has them.")
]
SuspendedQuery = Annotated[bool | None, Query(description="Only suspended people, or only others.")]
READ, FIND = (replace(rule, limit=LOOKS) for rule in (AUDITOR, READER))
DECIDE = (
    *(OrgNotFound, PersonNotFound, PersonMerged, OwnAccount),
    *(MemberWrongState, RoleOnly, RoleElsewhere),
)


@router.get(
    "",
    operation_id="listMembers",
    **allow(FIND, OrgNotFound, PersonNotFound, guess=Guess(CARD_GUESS, PersonNotFound)),
)
async def list_members(
    tx: Tx,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: OrgId,
    q: NameFilter = None,
    card_no: CardFilter = None,
    suspended: SuspendedQuery = None,
) -> Page[MemberOut]:
    """Return the people of a subtree: of a part of the name, or the holder of a card.

    Organizers give the whole name or a card number. Auditors give no name.
    """
    return await members.browse(tx, person_id, org_id, q, card_no, suspended, page)


async def _rows(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: OrgId,
    q: NameFilter = None,
    card_no: CardFilter = None,
    suspended: SuspendedQuery = None,
) -> Page[MemberOut]:
    return await members.browse(tx, person_id, org_id, q, card_no, suspended, page, is_export=True)


exports.beside(router, list_members, Bilingual("成员", "Members"), rows=_rows)


@router.get(
    "/{person_id}/membership", operation_id="getMember", **allow(READ, OrgNotFound, PersonNotFound)
)
async def get_member(
    person_id: PathId, tx: Tx, caller: CurrentPerson, org_id: OrgQuery = None
) -> MemberDetailOut:
    """Return a person of an organisation with card, roles, and numbers of what they have there.

    Without ``org_id``: of the lowest one that has the person and at which the caller reads.
    """
    return await members.read(tx, caller, org_id, person_id)


@router.post(
    "/{person_id}/suspension",
    operation_id="suspendMember",
    **allow(ADMINISTRATOR, *DECIDE, OrgClosed, LastAdministrator, body=True, once=True),
)
async def suspend_member(
    person_id: PathId,
    body: MemberReasonIn,
    ended: EndedLogins,
    tx: Tx,
    caller: CurrentPerson,
) -> MemberOut:
    """Suspend a person: every login ends at once, and none begins until they are restored."""
    shown, logins = await members.suspend(tx, caller, body.org_id, person_id, body.reason)
    ended += logins
    return shown


@router.post(
    "/{person_id}/restoration",
    operation_id="restoreMember",
    **allow(ADMINISTRATOR, *DECIDE, SuspendedAbove, body=True, once=True),
)
async def restore_member(
    person_id: PathId, body: MemberReasonIn, tx: Tx, caller: CurrentPerson
) -> MemberOut:
    """Let a suspended person log in again."""
    return await members.restore(tx, caller, body.org_id, person_id, body.reason)


@router.post(
    "/{person_id}/card/suspension",
    operation_id="suspendCard",
    **allow(ADMINISTRATOR, *DECIDE, OrgClosed, body=True, once=True),
)
async def suspend_card(
    person_id: PathId, body: MemberReasonIn, tx: Tx, caller: CurrentPerson
) -> MemberOut:
    """Suspend a person's card: it reserves, collects, pays and shows nothing."""
    status = CardStatus.suspended
    return await members.set_card(tx, caller, body.org_id, person_id, status, body.reason)


@router.post(
    "/{person_id}/card/restoration",
    operation_id="restoreCard",
    **allow(ADMINISTRATOR, *DECIDE, body=True, once=True),
)
async def restore_card(
    person_id: PathId, body: MemberReasonIn, tx: Tx, caller: CurrentPerson
) -> MemberOut:
    """Restore a person's card."""
    return await members.set_card(
        tx, caller, body.org_id, person_id, CardStatus.active, body.reason
    )
