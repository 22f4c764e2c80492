"""Members: people as the administrators of an organisation see them, suspend and restore them.

Its organizers find a person there. Each look leaves an entry in the audit trail. An administrator
decides about the people of the subtree, but not about somebody with a role outside of what the
administrator administers.
"""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, keyset
from app.core.validation_messages import invalid
from app.models.cards import Card, CardStatus, card_number, masked_number
from app.models.orgs import Org
from app.models.people import Person, Role
from app.queries import auth as auth_queries
from app.queries import members as queries
from app.queries import organizing as organizing_queries
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.queries import roles as role_queries
from app.queries.members import MemberFilter
from app.queries.roles import RoleFilter
from app.schemas.members import MemberDetailOut, MemberOut
from app.services import audit, orgs, people, records, roles

ADMINISTRATORS = (Role.administrator,)
ROLES_SHOWN = 100


class Sight(NamedTuple):
    """What a reader of an organisation may do: as administrator, as organizer, as auditor."""

    administers: bool
    finds: bool
    browses: bool


class OwnAccount(Refusal):
    code, status, title = "members.own", 403, "Own account"
    zh, en = (
        "不能停用或恢复自己的账号或卡",
        "Nobody suspends or restores their own account or card.",
    )


class MemberWrongState(records.WrongState):
    code = "members.wrong_state"


class RoleElsewhere(Refusal):
    """The person holds a role where the caller is no administrator, above for one."""

    code, status, title = "members.role_elsewhere", 409, "Role elsewhere"
    zh = "该人员在您管理范围之外任职，请由上级组织办理"
    en = "The person holds a role outside of what you administer; an organisation above decides."
    fact_names = ("org_id", "org_name", "role")


class RoleOnly(Refusal):
    """Else a role could be given to anybody, to suspend them: the role is taken away instead."""

    code, status, title = "members.role_only", 409, "A role alone"
    zh = "该人员在本组织仅有任命的角色，请撤销该角色"
    en = "The person has nothing but a role here that was given; take the role away instead."
    fact_names = ("role",)


class SuspendedAbove(Refusal):
    code, status, title = "members.suspended_above", 409, "Suspended by another organisation"
    zh = "该账号由其他组织停用，请由其恢复"
    en = "Another organisation suspended the account; its administrators restore it."
    fact_names = ("org_id", "org_name")


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    q: str | None,
    card_no: str | None,
    suspended: bool | None,
    asked: PageParams,
    *,
    is_export: bool = False,
) -> Page[MemberOut]:
    """Return the people of a subtree, newest first; names are masked for auditors.

    Auditors do not search by name: what is found would confirm a name that was guessed. Organizers
    find by a whole name or a card number, and do not browse. Each search is an entry of the audit
    trail; an export has its own. Raises OrgNotFound, Forbidden, Invalid; PersonNotFound for a card
    of nobody in the subtree.
    """
    org = await records.authorized(tx, caller, people.READERS, org_id)
    sight = await _sight(tx, caller, org.path)
    serial = people.serial_named(card_no, "query.card_no") if card_no is not None else None
    if not sight.finds:
        people.require_no_name(q)
    if not sight.browses and q is None and serial is None:
        raise invalid("query.q", "请填写全名或卡号", "give the whole name, or a card number")
    wanted = MemberFilter(q, serial, suspended, is_whole_name=not sight.administers)
    masks_name = not sight.finds or (not sight.administers and q is None and serial is None)
    found = await keyset(
        asked,
        (UUID,),
        lambda after, limit: queries.page(tx, org.path, wanted, after[0] if after else None, limit),
        lambda one: _to_out(*one, masks=not sight.administers, masks_name=masks_name),
        lambda one: (one[0].id,),
    )
    if card_no is not None and not found.items:
        raise people.PersonNotFound
    if is_export:
        return found
    asked_for = {"q": q, "card_no": card_no, "suspended": suspended}
    fields = [name for name, value in asked_for.items() if value is not None]
    facts, about = {"rows": len(found.items)}, ("org", org.id)
    await audit.write_about(tx, caller, "searched", about, org.id, fields=fields, facts=facts)
    return found


async def read(tx: Session, caller: UUID, org_id: UUID | None, person_id: UUID) -> MemberDetailOut:
    """Return one person. Raises OrgNotFound, Forbidden, PersonNotFound."""
    org_id = org_id or await place(tx, caller, roles.READERS, person_id)
    org = await records.authorized(tx, caller, roles.READERS, org_id)
    member = await queries.find(tx, org.path, person_id)
    if member is None:
        raise people.PersonNotFound
    masks = not await people.holds(tx, caller, ADMINISTRATORS, org.path)
    await audit.write_about(tx, caller, "viewed", ("person", person_id), org.id)
    wanted = RoleFilter(person_id=person_id)
    held = await role_queries.page(tx, org.path, wanted, None, ROLES_SHOWN)
    counts = await queries.counts(tx, org.path, person_id)
    shown = _to_out(*member, masks=masks)
    return MemberDetailOut(
        **shown.model_dump(),
        roles=[roles.to_out(one) for one in held],
        signups=counts.signups,
        checkins=counts.checkins,
        awards=counts.awards,
    )


async def suspend(
    tx: Session, caller: UUID, org_id: UUID | None, person_id: UUID, reason: str
) -> tuple[MemberOut, list[UUID]]:
    """Suspend a person; return also the logins to be revoked after the commit.

    Raises OrgNotFound, Forbidden, OrgClosed, PersonNotFound, OwnAccount, MemberWrongState,
    RoleOnly, RoleElsewhere, LastAdministrator.
    """
    org_id = org_id or await place(tx, caller, ADMINISTRATORS, person_id)
    await records.authorized_open(tx, caller, ADMINISTRATORS, org_id)
    org, person, card = await _decided(tx, caller, org_id, person_id)
    if person.suspended_at is not None:
        raise MemberWrongState(status="suspended")
    for grant in await people_queries.roles_of(tx, person.id):
        if grant.role == Role.administrator and grant.org_id is not None:
            await roles.require_another(tx, person.id, await orgs.get(tx, grant.org_id))
    person.suspended_at, person.suspended_org_id = now(), org.id
    await queries.save(tx, person)
    await _write(tx, caller, "suspended", ("person", person.id), org, reason)
    ended = await auth_queries.revoke_all(tx, person.id, person.suspended_at)
    return _to_out(person, card), ended


async def restore(
    tx: Session, caller: UUID, org_id: UUID | None, person_id: UUID, reason: str
) -> MemberOut:
    """Let a suspended person log in again, with the roles of before.

    Whatever roles there are elsewhere: the organisation that suspended can always restore.
    Raises OrgNotFound, Forbidden, PersonNotFound, OwnAccount, MemberWrongState, SuspendedAbove.
    """
    org_id = org_id or await place(tx, caller, ADMINISTRATORS, person_id)
    org, person, card = await _locked(tx, caller, org_id, person_id)
    if person.suspended_org_id is None:
        raise MemberWrongState(status="active")
    by = await orgs.get(tx, person.suspended_org_id)
    if not await people.holds(tx, caller, ADMINISTRATORS, by.path):
        raise SuspendedAbove(org_id=by.id, org_name=by.name)
    person.suspended_at = person.suspended_org_id = None
    await queries.save(tx, person)
    await _write(tx, caller, "restored", ("person", person.id), org, reason)
    return _to_out(person, card)


async def set_card(
    tx: Session,
    caller: UUID,
    org_id: UUID | None,
    person_id: UUID,
    status: CardStatus,
    reason: str,
) -> MemberOut:
    """Suspend or restore a card. A suspended one reserves, collects, pays and shows nothing.

    A closed organisation only restores. Raises OrgNotFound, Forbidden, OrgClosed, PersonNotFound,
    OwnAccount, MemberWrongState, RoleOnly,
    RoleElsewhere.
    """
    org_id = org_id or await place(tx, caller, ADMINISTRATORS, person_id)
    if status is CardStatus.suspended:
        org_id = org_id or await place(tx, caller, ADMINISTRATORS, person_id)
    await records.authorized_open(tx, caller, ADMINISTRATORS, org_id)
    org, person, card = await _decided(tx, caller, org_id, person_id)
    suspends = status is CardStatus.suspended
    if suspends == (card.status == CardStatus.suspended):
        raise MemberWrongState(status=card.status)
    card.status = CardStatus.suspended if suspends else _before_suspension(card)
    await queries.save(tx, card)
    verb = "suspended" if suspends else "restored"
    await _write(tx, caller, verb, ("card", person.id), org, reason)
    return _to_out(person, card)


async def place(tx: Session, caller: UUID, held: Collection[Role], person_id: UUID) -> UUID:
    """Return the lowest organisation that has the person, and at which the caller has a role.

    Raises PersonNotFound.
    """
    paths = await organizing_queries.paths_of(tx, caller, held)
    for path in sorted(paths, key=len, reverse=True):
        if await queries.find(tx, path, person_id) is not None:
            [org] = await org_queries.by_codes(tx, [path.strip("/").rpartition("/")[2]])
            return org.id
    raise people.PersonNotFound


def _before_suspension(card: Card) -> CardStatus:
    """Return what its holder made of a card: a restored one stays lost or frozen."""
    if card.lost_at is not None:
        return CardStatus.lost
    return CardStatus.frozen if card.frozen_at is not None else CardStatus.active


async def _sight(tx: Session, caller: UUID, org_path: str) -> Sight:
    administers, organizes, audits = [
        await people.holds(tx, caller, [role], org_path)
        for role in (Role.administrator, Role.organizer, Role.auditor)
    ]
    return Sight(administers, finds=administers or organizes, browses=administers or audits)


async def _locked(
    tx: Session, caller: UUID, org_id: UUID, person_id: UUID
) -> tuple[Org, Person, Card]:
    """Lock a person of a subtree that the caller administers, and the card.

    Raises OrgNotFound, Forbidden, OwnAccount, PersonNotFound, PersonMerged.
    """
    org = await records.authorized(tx, caller, ADMINISTRATORS, org_id)
    if person_id == caller:
        raise OwnAccount
    member = await queries.lock(tx, org.path, person_id)
    if member is None:
        raise people.PersonNotFound
    await people.require_not_merged(tx, [person_id])
    return org, *member


async def _decided(
    tx: Session, caller: UUID, org_id: UUID, person_id: UUID
) -> tuple[Org, Person, Card]:
    """Lock a person without a role outside of what the caller administers, and the card."""
    found = await _locked(tx, caller, org_id, person_id)
    if not await queries.acts(tx, found[0].path, person_id):
        wanted = RoleFilter(person_id=person_id)
        given = await role_queries.page(tx, found[0].path, wanted, None, 1)
        raise RoleOnly(role=given[0].grant.role) if given else people.PersonNotFound
    mine = await organizing_queries.paths_of(tx, caller, ADMINISTRATORS)
    held = await role_queries.outside(tx, person_id, mine)
    if held is not None:
        raise RoleElsewhere(org_id=held.org.id, org_name=held.org.name, role=held.grant.role)
    return found


async def _write(
    tx: Session, caller: UUID, verb: str, subject: tuple[str, UUID], org: Org, reason: str
) -> None:
    await audit.write_about(tx, caller, verb, subject, org.id, reason=reason)


def _to_out(
    person: Person, card: Card, *, masks: bool = False, masks_name: bool | None = None
) -> MemberOut:
    """``masks``: the card number, and the name too unless ``masks_name`` says otherwise."""
    hides = masks if masks_name is None else masks_name
    return MemberOut(
        person_id=person.id,
        display_name=people.masked(person.display_name) if hides else person.display_name,
        card_no=masked_number(card.serial) if masks else card_number(card.serial),
        card_status=CardStatus(card.status),
        suspended_at=person.suspended_at,
        created_at=person.created_at,
    )
