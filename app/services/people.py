"""People: who calls, what they may do, how they are shown."""

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.people import Person, Role
from app.queries import outbox
from app.queries import people as queries
from app.schemas.people import MeIn, MeOut, RoleOut

LEADERBOARD_MIN_AGE = 14


class Forbidden(Refusal):
    code, status, title = "auth.forbidden", 403, "Forbidden"
    zh, en = "您没有执行此操作的权限", "You may not do this."


class PersonNotFound(Refusal):
    code, status, title = "people.not_found", 404, "No such person"
    zh, en = "人员不存在", "There is no such person."


async def me(tx: Session, person_id: UUID) -> MeOut:
    """Return the caller's own data and roles."""
    person = await _get(tx, person_id)
    roles = await queries.roles_of(tx, person_id)
    return MeOut(
        id=person.id,
        display_name=person.display_name,
        birth_date=person.birth_date,
        shows_name=person.shows_name,
        roles=[RoleOut.model_validate(role) for role in roles],
        created_at=person.created_at,
    )


async def update_me(tx: Session, person_id: UUID, body: MeIn) -> MeOut:
    """Change what a person tells about itself.

    Whether somebody may appear on a leaderboard can change with it, so the boards hear of it.
    """
    person = await _get(tx, person_id)
    was_minor = is_under_14(person.birth_date)
    person.display_name = body.display_name
    person.birth_date = body.birth_date
    person.shows_name = body.shows_name
    tx.add(person)
    await tx.flush()
    if was_minor != is_under_14(body.birth_date):
        await outbox.put(tx, "leaderboards.rebuild", {"person_id": str(person_id)})
    return await me(tx, person_id)


# Who may act for an organisation: draft, propose, review, deduct.
ORGANIZERS = [Role.organizer, Role.administrator]
# Who may look at what an organisation keeps.
READERS = [*ORGANIZERS, Role.auditor]


async def require_role(
    tx: Session, person_id: UUID, roles: Collection[Role], org_path: str
) -> None:
    """Raise Forbidden unless the person holds one of the roles at the organisation or above."""
    if not await queries.has_role_at(tx, person_id, roles, org_path):
        raise Forbidden


async def roles(tx: Session, people: Sequence[UUID]) -> list[set[Role]]:
    """Return the roles that each of the people holds anywhere."""
    held = await queries.roles_held(tx, sorted(set(people)))
    return [held.get(one, set()) for one in people]


async def merchant_of(tx: Session, person_id: UUID) -> UUID:
    """Return the merchant that the person works at; raise Forbidden if none.

    Somebody with several counters works at the one of the oldest grant.
    """
    found = await queries.merchants_of(tx, [person_id])
    if person_id not in found:
        raise Forbidden
    return found[person_id].merchant_id


async def appoint(
    tx: Session,
    person_id: UUID,
    role: Role,
    *,
    org: UUID | None = None,
    merchant: UUID | None = None,
) -> None:
    """Give a role at an organisation or at a merchant; twice is as once. Raises PersonNotFound."""
    await _get(tx, person_id)
    await queries.grant_role(tx, person_id, role, org=org, merchant=merchant)


def is_under_14(birth_date: date | None) -> bool:
    """Personal data of children under 14 is sensitive (PIPL 28): unknown counts as adult."""
    if birth_date is None:
        return False
    today = local_date(now())
    had_birthday = (today.month, today.day) >= (birth_date.month, birth_date.day)
    return today.year - birth_date.year - (not had_birthday) < LEADERBOARD_MIN_AGE


def masked(name: str) -> str:
    """Mask a name for public lists: ``王*四``, ``*三``."""
    if len(name) <= 1:
        return "*"
    if len(name) == 2:
        return "*" + name[-1]
    return name[0] + "*" + name[-1]


async def _get(tx: Session, person_id: UUID) -> Person:
    person = await queries.find(tx, person_id)
    if person is None:
        raise PersonNotFound
    return person
