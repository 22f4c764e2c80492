"""SQL of people and their roles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import and_, col, or_, select

from app.core.db import Session
from app.core.ids import new_id
from app.models.orgs import Org
from app.models.people import Person, Role, RoleGrant
from app.queries import cards

# A grant ``g`` in force, by PostgreSQL's clock; ``in_force`` says the same.
_IN_TERM = "g.starts_at <= now() AND (g.ends_at IS NULL OR g.ends_at > now())"
# Nobody who is suspended holds a role, even while Redis cannot refuse the access tokens.
_BY_ACTIVE = """EXISTS (
    SELECT FROM people h
    WHERE h.id = g.person_id AND h.suspended_at IS NULL AND h.erased_at IS NULL
      AND h.merged_into_id IS NULL)"""
_IN_FORCE = f"{_IN_TERM} AND {_BY_ACTIVE}"

_ROLES_HELD = f"""
SELECT DISTINCT g.person_id, g.role FROM role_grants g
WHERE g.person_id = ANY(CAST(:people AS uuid[])) AND {_IN_FORCE}
"""  # noqa: S608 - a constant

_NAMES = """
SELECT id, display_name, shows_name FROM people WHERE id = ANY(CAST(:people AS uuid[]))
"""

_MERCHANTS_OF = f"""
SELECT g.person_id, m.id AS merchant_id, m.name, m.org_id, m.state, m.kind, o.path AS org_path,
       l.locked_until
FROM role_grants g JOIN merchants m ON m.id = g.merchant_id JOIN orgs o ON o.id = m.org_id
LEFT JOIN code_locks l ON l.merchant_id = m.id
WHERE g.person_id = ANY(CAST(:people AS uuid[])) AND {_IN_FORCE}
ORDER BY g.person_id, g.id
"""  # noqa: S608 - a constant


# ``nearer``: the number of holders at nearer levels. Who holds a role at several levels counts at
# the nearest one.
_NEAREST_HOLDERS = f"""
WITH place AS (
    SELECT path, name FROM orgs WHERE id = :org
), holders AS (
    SELECT g.person_id, place.name, max(length(o.path)) AS depth
    FROM place JOIN role_grants g ON g.role = ANY(CAST(:roles AS text[]))
    JOIN orgs o ON o.id = g.org_id AND place.path ^@ o.path
    WHERE g.person_id <> ALL(CAST(:but AS uuid[])) AND {_IN_FORCE}
    GROUP BY g.person_id, place.name
)
SELECT person_id, name FROM (
    SELECT person_id, name, count(*) OVER (
        ORDER BY depth DESC
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP) AS nearer
    FROM holders
) ranked
WHERE nearer < :at_least
ORDER BY person_id
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Workplace:
    """A merchant that employs a person, its state, and the merchant's organisation."""

    merchant_id: UUID
    org_id: UUID
    org_path: str
    name: str
    state: str
    kind: str
    codes_locked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A person with a role for an organisation, and the organisation's name."""

    person_id: UUID
    org_name: str


@dataclass(frozen=True, slots=True)
class Named:
    id: UUID
    display_name: str
    shows_name: bool


async def find(session: Session, person_id: UUID) -> Person | None:
    return await session.get(Person, person_id)


async def find_by_openid(session: Session, indexes: Sequence[bytes]) -> Person | None:
    """Find a person by any of the blind indexes of an openid."""
    found = await session.exec(select(Person).where(col(Person.openid_index).in_(indexes)))
    return found.first()


async def standing(session: Session, person_id: UUID) -> tuple[datetime | None, UUID | None]:
    """Read since when a person is suspended, and into whom they were merged."""
    query = select(Person.suspended_at, Person.merged_into_id).where(Person.id == person_id)
    return (await session.exec(query)).one()


async def kept(session: Session, people: Sequence[UUID]) -> dict[UUID, UUID]:
    """Read into whom those of the people were merged who were."""
    query = select(Person.id, Person.merged_into_id).where(col(Person.id).in_(people))
    rows = await session.exec(query.where(col(Person.merged_into_id).is_not(None)))
    return {person: into for person, into in rows if into is not None}


async def family(session: Session, person_id: UUID) -> list[UUID]:
    """Read all accounts of a person: first the one that was kept, then those merged into it."""
    first = (await kept(session, [person_id])).get(person_id, person_id)
    return [first, *await merged_into(session, [first])]


async def merged_into(session: Session, people: Sequence[UUID]) -> list[UUID]:
    """Read the accounts that were merged into those of people."""
    query = select(Person.id).where(col(Person.merged_into_id).in_(people))
    return list(await session.exec(query.order_by(col(Person.id))))


async def add(
    session: Session,
    *,
    openid_index: bytes,
    openid_sealed: bytes,
    display_name: str,
    person_id: UUID | None = None,
    serial: int | None = None,
) -> UUID | None:
    """Insert a person with a card; None if a concurrent transaction inserted the openid.

    ``person_id``, ``serial``: of demonstration data, where both are the same everywhere; else the
    id is a new one, and the card's serial is drawn.
    """
    made = await session.execute(
        insert(Person)
        .values(
            id=person_id or new_id(),
            openid_index=openid_index,
            openid_sealed=openid_sealed,
            display_name=display_name,
        )
        .on_conflict_do_nothing(index_elements=[col(Person.openid_index)])
        .returning(col(Person.id))
    )
    new_person: UUID | None = made.scalar_one_or_none()
    if new_person is not None:
        await cards.add(session, new_person, serial)
    return new_person


async def reseal(session: Session, person: UUID, openid_index: bytes, openid_sealed: bytes) -> None:
    """Store an openid under another key."""
    values = {"openid_index": openid_index, "openid_sealed": openid_sealed}
    await session.execute(update(Person).where(col(Person.id) == person).values(values))


def not_ended() -> ColumnElement[bool]:
    """Return the condition of a grant that is in force, or will be."""
    return or_(col(RoleGrant.ends_at).is_(None), col(RoleGrant.ends_at) > func.now())


def is_active() -> ColumnElement[bool]:
    """Return the condition of a person who is neither suspended nor erased nor merged."""
    gone = (Person.suspended_at, Person.erased_at, Person.merged_into_id)
    return and_(*(col(one).is_(None) for one in gone))


def by_active() -> ColumnElement[bool]:
    """Return the condition of a grant whose holder is neither suspended nor erased."""
    holder = select(Person.id).where(Person.id == RoleGrant.person_id, is_active())
    return holder.correlate(RoleGrant).exists()


def in_force() -> ColumnElement[bool]:
    """Return the condition of a grant that gives rights now."""
    return and_(col(RoleGrant.starts_at) <= func.now(), not_ended(), by_active())


async def active(session: Session, people: Sequence[UUID]) -> set[UUID]:
    """Return those of the people who are neither suspended nor erased nor merged."""
    query = select(Person.id).where(col(Person.id).in_(people), is_active())
    return set(await session.exec(query))


async def save(session: Session, person: Person) -> None:
    session.add(person)
    await session.flush()


async def roles_of(session: Session, person_id: UUID) -> list[RoleGrant]:
    """Read the roles of a person, those that begin later too, and none that has ended.

    Nobody who is suspended has any.
    """
    query = select(RoleGrant).where(RoleGrant.person_id == person_id, not_ended(), by_active())
    return list(await session.exec(query.order_by(col(RoleGrant.id))))


async def roles_held(session: Session, people: Sequence[UUID]) -> dict[UUID, set[Role]]:
    """Read the roles of people, at any organisation or merchant."""
    found: dict[UUID, set[Role]] = {}
    for row in await session.fetch(_ROLES_HELD, {"people": list(people)}):
        found.setdefault(row.person_id, set()).add(Role(row.role))
    return found


async def merchants_of(session: Session, people: Sequence[UUID]) -> dict[UUID, list[Workplace]]:
    """Read the merchants that employ people, by the oldest grant first."""
    found: dict[UUID, list[Workplace]] = {}
    for row in await session.fetch(_MERCHANTS_OF, {"people": list(people)}):
        of_merchant = (row.merchant_id, row.org_id, row.org_path, row.name, row.state, row.kind)
        found.setdefault(row.person_id, []).append(Workplace(*of_merchant, row.locked_until))
    return found


async def has_role_at(
    session: Session, person_id: UUID, roles: Collection[str], org_path: str
) -> bool:
    """Whether the person holds one of the roles at the organisation or above it."""
    query = (
        select(RoleGrant.id)
        .join(Org, col(Org.id) == col(RoleGrant.org_id))
        .where(RoleGrant.person_id == person_id, col(RoleGrant.role).in_(roles), in_force())
        .where(literal(org_path).op("^@")(col(Org.path)))
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


async def administers_until(session: Session, person_id: UUID, org_path: str) -> datetime | None:
    """Read when an administrator of an organisation, or above it, stops being one; None: never."""
    query = (
        select(RoleGrant.ends_at)
        .join(Org, col(Org.id) == col(RoleGrant.org_id))
        .where(RoleGrant.person_id == person_id, RoleGrant.role == Role.administrator, in_force())
        .where(literal(org_path).op("^@")(col(Org.path)))
        .order_by(col(RoleGrant.ends_at).desc().nulls_first())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def is_staff_of(session: Session, person_id: UUID, merchant_id: UUID) -> bool:
    """Whether the person is on the staff of the merchant."""
    query = select(RoleGrant.id).where(
        RoleGrant.person_id == person_id,
        RoleGrant.merchant_id == merchant_id,
        RoleGrant.role == Role.merchant_staff,
        in_force(),
    )
    return (await session.exec(query)).first() is not None


async def nearest_holders(
    session: Session, org: UUID, roles: Collection[str], but: Collection[UUID], at_least: int
) -> list[Holder]:
    """Read the holders of roles at an organisation, except ``but``.

    Levels above are added, nearest first, until there are ``at_least`` holders.
    """
    wanted = {"org": org, "roles": list(roles), "but": list(but), "at_least": at_least}
    rows = await session.fetch(_NEAREST_HOLDERS, wanted)
    return [Holder(row.person_id, row.name) for row in rows]


async def holders(session: Session, role: str) -> list[UUID]:
    """Read who holds a role anywhere."""
    query = select(col(RoleGrant.person_id)).where(RoleGrant.role == role, in_force()).distinct()
    return list((await session.execute(query)).scalars())


async def suspended_since(session: Session, person_id: UUID) -> datetime | None:
    """Return when a person was suspended; None for others."""
    query = select(Person.suspended_at).where(Person.id == person_id)
    return (await session.exec(query)).first()


async def existing(session: Session, people: Sequence[UUID]) -> set[UUID]:
    """Return the ids that are people whose accounts are not erased."""
    query = select(Person.id).where(col(Person.id).in_(people), col(Person.erased_at).is_(None))
    return set(await session.exec(query))


async def names(session: Session, people: Sequence[UUID]) -> dict[UUID, Named]:
    """Read names, and whether leaderboards may show them."""
    rows = await session.fetch(_NAMES, {"people": list(people)})
    return {row.id: Named(row.id, row.display_name, row.shows_name) for row in rows}
