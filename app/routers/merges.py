"""Merges (账号合并) of two accounts of one person."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ADMINISTRATOR, AUDITOR, allow
from app.api.deps import CurrentPerson, EndedLogins, PageQuery, Reader, Tx
from app.api.guesses import CODE_GUESS, Guess
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.merges import MergeState
from app.schemas.base import Id
from app.schemas.merges import MergeIn, MergeOut, MergeRejectionIn
from app.services.cards import CardSuspended
from app.services.members import RoleElsewhere
from app.services.merges import deciding as merges
from app.services.merges.deciding import (
    MergeBlocked,
    MergeNotFound,
    MergeProposed,
    MergeWrongState,
)
from app.services.merges.guards import KeptRole, OwnMerge
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import PersonNotFound
from app.services.redemptions.card_codes import CardCodeInvalid, CardCodeUsed
from app.services.roles import LastAdministrator

ABOUT = Bilingual(
    "账号合并：将同一人的两个账号合并，须两名管理员办理",
    "Merges of two accounts of one person, by two administrators",
)
router = Router(prefix="/people/merges", tags=["merges"], about=ABOUT)
PROPOSE = allow(
    ADMINISTRATOR,
    OrgNotFound,
    OrgClosed,
    CardCodeInvalid,
    CardCodeUsed,
    CardSuspended,
    PersonNotFound,
    OwnMerge,
    RoleElsewhere,
    KeptRole,
    MergeProposed,
    body=True,
    once=True,
    guess=Guess(CODE_GUESS, CardCodeInvalid),
)
StateQuery = Annotated[MergeState | None, Query(description="Only those in this state; else all.")]
SETTLE = (MergeNotFound, OwnMerge, MergeWrongState)
CONFIRM = allow(
    ADMINISTRATOR,
    *SETTLE,
    PersonNotFound,
    RoleElsewhere,
    LastAdministrator,
    MergeBlocked,
    KeptRole,
    once=True,
)


@router.post("", status_code=201, operation_id="proposeMerge", **PROPOSE)
@leads_to("confirmMerge", {"merge_id": "id"})
@leads_to("rejectMerge", {"merge_id": "id"})
async def propose_merge(body: MergeIn, tx: Tx, caller: CurrentPerson) -> MergeOut:
    """Propose to merge two accounts of one person of the subtree. Both get a notice.

    The person shows the codes of both cards, each as at a counter: both logins are there.
    Another administrator confirms it within 14 days, or it lapses.
    """
    return await merges.propose(tx, caller, body)


@router.get("", operation_id="listMerges", **allow(AUDITOR, OrgNotFound))
async def list_merges(
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: Id,
    state: StateQuery = None,
) -> Page[MergeOut]:
    """Return the merges of an organisation and everything below it, newest first."""
    return await merges.browse(tx, caller, org_id, state, page)


exports.beside(router, list_merges, Bilingual("账号合并", "Merges"))


@router.get("/{merge_id}", operation_id="getMerge", **allow(AUDITOR, MergeNotFound))
async def get_merge(merge_id: PathId, tx: Reader, caller: CurrentPerson) -> MergeOut:
    """Return a merge: who, why, by whom, and what was moved."""
    return await merges.read(tx, caller, merge_id)


@router.post("/{merge_id}/confirmation", operation_id="confirmMerge", **CONFIRM)
async def confirm_merge(
    merge_id: PathId, ended: EndedLogins, tx: Tx, caller: CurrentPerson
) -> MergeOut:
    """Merge the two accounts, as another administrator than who proposed it.

    Points keep their ends, debts are repaid, sign-ups go over. The login of the absorbed account
    reaches the kept one from now on; its card, roles and logins end.
    """
    shown, logins = await merges.confirm(tx, caller, merge_id)
    ended += logins
    return shown


@router.post(
    "/{merge_id}/rejection",
    operation_id="rejectMerge",
    **allow(ADMINISTRATOR, *SETTLE, body=True, once=True),
)
async def reject_merge(
    merge_id: PathId, body: MergeRejectionIn, tx: Tx, caller: CurrentPerson
) -> MergeOut:
    """Reject a proposal, or withdraw an own one."""
    return await merges.reject(tx, caller, merge_id, body.reason)
