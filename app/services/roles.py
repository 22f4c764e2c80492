"""Roles: who may act for an organisation or a merchant, from when and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.core.validation_messages import invalid
from app.models.orgs import Org
from app.models.people import Role, RoleGrant
from app.queries import merchants as merchant_queries
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.queries import roles as queries
from app.queries.roles import Held, NewGrant, RoleFilter
from app.schemas.roles import RoleHolderOut, RoleIn, RoleOut, TermIn
from app.services import audit, notify, orgs, people, records
from app.services.merchants.access import MerchantNotFound

Term = tuple[datetime | None, datetime | None]  # from and until
READERS = (Role.auditor, Role.administrator)
MAX_AHEAD, MAX_TERM = timedelta(days=366), timedelta(days=3653)


class RoleNotFound(Refusal):
    code, status, title = "roles.not_found", 404, "No such role"
    zh, en = "任职记录不存在", "There is no such role."


class OwnRole(Refusal):
    code, status, title = "roles.own", 403, "Own role"
    zh = "不能给自己授予或解除职责；辞去职责请在个人信息中办理"
    en = "Nobody gives or takes their own role; leave it in your profile."


class PersonSuspended(Refusal):
    code, status, title = "roles.person_suspended", 409, "Account suspended"
    zh, en = "该账号已停用，不能任职", "The account is suspended; it is given no role."
    fact_names = ("suspended_at",)


class RoleHeld(Refusal):
    code, status, title = "roles.held", 409, "Role held already"
    zh, en = "该人员已有此职责", "The person holds this role here already."
    fact_names = ("role_id", "starts_at", "ends_at")


class LastAdministrator(Refusal):
    """A root without an administrator could only be helped by the command line."""

    code, status, title = "roles.last_administrator", 409, "Last administrator"
    zh = "这是该组织唯一的长期管理员，请先任命另一位"
    en = "The organisation has no other administrator without an end; appoint one first."
    fact_names = ("org_id", "org_name")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a role holds. ``org``: the organisation, also that of the merchant."""

    org: Org
    merchant_id: UUID | None
    name: str


async def place_of(tx: Session, role: Role, org_id: UUID | None, merchant_id: UUID | None) -> Place:
    """Return an open organisation, or a merchant of one, as the place of a role.

    The organisation is not closed or moved before the commit. Raises Invalid, OrgNotFound,
    OrgClosed, MerchantNotFound.
    """
    if (role is Role.merchant_staff) == (merchant_id is None):
        raise invalid("body.merchant_id", "只有商户店员须指定商户", "for a merchant's staff alone")
    if (org_id is None) == (merchant_id is None):
        raise invalid("body.org_id", "请指定组织或商户之一", "name an organisation or a merchant")
    if merchant_id is None:
        assert org_id is not None, "one of the two is named"
        org = await orgs.get_open(tx, org_id)
        return Place(org, None, org.name)
    merchant = await merchant_queries.find(tx, merchant_id)
    if merchant is None:
        raise MerchantNotFound
    return Place(await orgs.get_open(tx, merchant.org_id), merchant.id, merchant.name)


async def administered(tx: Session, caller: UUID, body: TermIn) -> tuple[Place, Term]:
    """Return the place and the term of a role that the caller may give.

    Who is an administrator until some day gives roles until then at most. Raises Forbidden, and
    what ``place_of`` and ``require_term`` raise.
    """
    require_term(body.starts_at, body.ends_at)
    place = await place_of(tx, body.role, body.org_id, body.merchant_id)
    await people.require_role(tx, caller, [Role.administrator], place.org.path)
    until = await people_queries.administers_until(tx, caller, place.org.path)
    if until is None:
        return place, (body.starts_at, body.ends_at)
    if body.ends_at is not None and body.ends_at > until:
        raise invalid("body.until", "不能晚于您自己的任期", "lies after the end of your own role")
    ends_at = body.ends_at or until
    require_term(body.starts_at, ends_at)
    return place, (body.starts_at, ends_at)


def require_term(starts_at: datetime | None, ends_at: datetime | None) -> None:
    """Raise Invalid for a term in the past, or too far ahead."""
    at = now()
    if starts_at is not None and starts_at < midnight(local_date(at)):
        raise invalid("body.from", "不能早于今天", "lies before today")
    if starts_at is not None and starts_at > at + MAX_AHEAD:
        raise invalid("body.from", "最晚一年之内", "lies more than a year ahead")
    if ends_at is not None and ends_at <= max(at, starts_at or at):
        raise invalid("body.until", "应晚于开始时间和当前时间", "lies before the start, or now")
    if ends_at is not None and ends_at > at + MAX_TERM:
        raise invalid("body.until", "最长十年", "lies more than ten years ahead")


async def give(tx: Session, caller: UUID, body: RoleIn) -> RoleHolderOut:
    """Give a role to a person, named by card or id.

    Raises Invalid, OrgNotFound, MerchantNotFound, OrgClosed, Forbidden, PersonNotFound,
    PersonMerged, OwnRole, PersonSuspended, RoleHeld.
    """
    place, term = await administered(tx, caller, body)
    person = await people.named(tx, body.person_id, body.card_no)
    return await grant(tx, caller, person, body.role, place, term)


async def grant(
    tx: Session, actor: UUID, person_id: UUID, role: Role, place: Place, term: Term
) -> RoleHolderOut:
    """Grant a role in the name of who gives it. Raises OwnRole, PersonSuspended, RoleHeld."""
    if person_id == actor:
        raise OwnRole
    if (suspended_at := await people_queries.suspended_since(tx, person_id)) is not None:
        raise PersonSuspended(suspended_at=suspended_at)
    new = _new(person_id, role, place, term)
    made = await queries.grant(tx, new)
    if made is None:
        held = await queries.held_at(tx, new)
        raise RoleHeld(role_id=held.id, starts_at=held.starts_at, ends_at=held.ends_at)
    await _appointed(tx, actor, made, place.org.id)
    await _tell(tx, person_id, place.org.id, place.name, given=True)
    name = (await people_queries.names(tx, [person_id]))[person_id].display_name
    merchant = place.name if place.merchant_id else None
    return to_out(Held(made, name, place.org, merchant))


def _new(person_id: UUID, role: Role, place: Place, term: Term = (None, None)) -> NewGrant:
    org_id = None if place.merchant_id else place.org.id
    return NewGrant(person_id, role, org_id, place.merchant_id, *term)


async def appoint_at_org(
    tx: Session, actor: UUID | None, person_id: UUID, role: Role, org_id: UUID
) -> None:
    """Grant a person a role at an organisation. Idempotent.

    ``actor``: who grants it, for the audit trail; None if the command line does. Raises
    PersonNotFound, PersonMerged, OrgClosed.
    """
    await _appoint(tx, actor, person_id, role, await place_of(tx, role, org_id, None))


async def appoint_staff(
    tx: Session, actor: UUID | None, person_id: UUID, merchant_id: UUID
) -> None:
    """Grant a person the role of a merchant's staff. Idempotent.

    ``actor``: who grants it, for the audit trail; None if the command line does. Raises
    PersonNotFound, PersonMerged, MerchantNotFound, OrgClosed.
    """
    role = Role.merchant_staff
    await _appoint(tx, actor, person_id, role, await place_of(tx, role, None, merchant_id))


async def _appoint(
    tx: Session, actor: UUID | None, person_id: UUID, role: Role, place: Place
) -> None:
    await people.require_known(tx, [person_id])
    if made := await queries.grant(tx, _new(person_id, role, place)):
        await _appointed(tx, actor, made, place.org.id)


async def _appointed(tx: Session, actor: UUID | None, made: RoleGrant, org_id: UUID) -> None:
    facts = _facts(made) | {"starts_at": made.starts_at.isoformat()}
    if made.ends_at is not None:
        facts["ends_at"] = made.ends_at.isoformat()
    subject = ("person", made.person_id)
    await audit.write_about(tx, actor, "appointed", subject, org_id, facts=facts)


def _facts(made: RoleGrant) -> dict[str, str | int]:
    facts: dict[str, str | int] = {"role": made.role}
    if made.merchant_id is not None:
        facts["merchant"] = str(made.merchant_id)
    return facts


async def end(tx: Session, caller: UUID, role_id: UUID, reason: str) -> None:
    """Take somebody's role away; it stops at once.

    Raises RoleNotFound, OwnRole, LastAdministrator.
    """
    made, org = await _locked(tx, role_id)
    if not await people_queries.has_role_at(tx, caller, [Role.administrator], org.path):
        raise RoleNotFound
    if made.person_id == caller:
        raise OwnRole
    await _end(tx, caller, made, org, reason)


async def leave(tx: Session, caller: UUID, role_id: UUID) -> None:
    """Leave an office of one's own. Raises RoleNotFound, LastAdministrator."""
    made, org = await _locked(tx, role_id)
    if made.person_id != caller:
        raise RoleNotFound
    await _end(tx, caller, made, org, None)


async def end_staff(
    tx: Session, actor: UUID, person_id: UUID, merchant_id: UUID, reason: str
) -> bool:
    """End somebody's work at a merchant; False if there is no such role."""
    found = await queries.lock_staff(tx, person_id, merchant_id)
    if found is not None:
        await _end(tx, actor, *found, reason)
    return found is not None


async def _locked(tx: Session, role_id: UUID) -> tuple[RoleGrant, Org]:
    found = await queries.lock(tx, role_id)
    if found is None:
        raise RoleNotFound
    return found


async def _end(tx: Session, actor: UUID, made: RoleGrant, org: Org, reason: str | None) -> None:
    if made.role == Role.administrator:
        await require_another(tx, made.person_id, org)
    await queries.end(tx, made)
    subject = ("person", made.person_id)
    await audit.write_about(
        tx, actor, "dismissed", subject, org.id, reason=reason, facts=_facts(made)
    )
    if made.person_id != actor:
        await _tell(tx, made.person_id, org.id, org.name, given=False)


async def require_another(tx: Session, person_id: UUID, org: Org) -> None:
    """Raise LastAdministrator if a root would be left without an administrator.

    Locks the root: of two administrators who end each other's role, the second sees the first's.
    """
    if org.parent_id is not None:
        return
    await org_queries.lock(tx, [org.id])
    if not await queries.another_stays(tx, org.id, person_id):
        raise LastAdministrator(org_id=org.id, org_name=org.name)


async def require_others(tx: Session, person_id: UUID) -> None:
    """Raise LastAdministrator if a root would have no administrator without this person."""
    for org in await queries.administered_roots(tx, person_id):
        await require_another(tx, person_id, org)


async def _tell(tx: Session, person_id: UUID, org_id: UUID, place: str, *, given: bool) -> None:
    await notify.send(tx, person_id, "role_moved", ("org", org_id), place=place, given=given)


async def browse(
    tx: Session, caller: UUID, org_id: UUID, wanted: RoleFilter, asked: PageParams
) -> Page[RoleHolderOut]:
    """Return the roles of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    org = await records.authorized(tx, caller, READERS, org_id)

    async def read(before: UUID | None, limit: int) -> list[RoleHolderOut]:
        found = await queries.page(tx, org.path, wanted, before, limit)
        return [to_out(one) for one in found]

    return await by_id(asked, read, lambda shown: shown)


def to_out(held: Held) -> RoleHolderOut:
    fields: dict[str, Any] = RoleOut.model_validate(held.grant).model_dump()
    return RoleHolderOut(
        **fields,
        person_id=held.grant.person_id,
        display_name=held.display_name,
        org_name=held.org.name,
        merchant_name=held.merchant_name,
        created_at=held.grant.created_at,
    )
