"""SQL of people and their roles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import literal, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.cards import Card
from app.models.orgs import Org
from app.models.people import Person, Role, RoleGrant

_ROLES_HELD = """
SELECT DISTINCT person_id, role FROM role_grants WHERE person_id = ANY(CAST(:people AS uuid[]))
"""

_NAMES = """
SELECT id, display_name, shows_name FROM people WHERE id = ANY(CAST(:people AS uuid[]))
"""

_MERCHANTS_OF = """
SELECT DISTINCT ON (g.person_id) g.person_id, m.id AS merchant_id, m.name, m.org_id,
       o.path AS org_path
FROM role_grants g JOIN merchants m ON m.id = g.merchant_id JOIN orgs o ON o.id = m.org_id
WHERE g.person_id = ANY(CAST(:people AS uuid[]))
ORDER BY g.person_id, g.id
"""


# ``nearer``: how many hold it further down. Who holds it at several levels counts at the nearest.
_NEAREST_HOLDERS = """
WITH place AS (
    SELECT path, name FROM orgs WHERE id = :org
), holders AS (
    SELECT g.person_id, place.name, max(length(o.path)) AS depth
    FROM place JOIN role_grants g ON g.role = ANY(CAST(:roles AS text[]))
    JOIN orgs o ON o.id = g.org_id AND place.path ^@ o.path
    WHERE g.person_id <> ALL(CAST(:but AS uuid[]))
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
"""


@dataclass(frozen=True, slots=True)
class Workplace:
    """The merchant at whose counter somebody stands, and the merchant's organisation."""

    merchant_id: UUID
    org_id: UUID
    org_path: str
    name: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a role for an organisation, and the organisation's name."""

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


async def add(
    session: Session, *, openid_index: bytes, openid_sealed: bytes, display_name: str
) -> UUID | None:
    """Insert a person with a card; None if somebody was faster."""
    made = await session.execute(
        insert(Person)
        .values(openid_index=openid_index, openid_sealed=openid_sealed, display_name=display_name)
        .on_conflict_do_nothing(index_elements=[col(Person.openid_index)])
        .returning(col(Person.id))
    )
    person_id: UUID | None = made.scalar_one_or_none()
    if person_id is not None:
        session.add(Card(person_id=person_id))
        await session.flush()
    return person_id


async def reseal(session: Session, person: UUID, openid_index: bytes, openid_sealed: bytes) -> None:
    """Store an openid under another key."""
    values = {"openid_index": openid_index, "openid_sealed": openid_sealed}
    await session.execute(update(Person).where(col(Person.id) == person).values(values))


async def roles_of(session: Session, person_id: UUID) -> list[RoleGrant]:
    rows = await session.exec(
        select(RoleGrant).where(RoleGrant.person_id == person_id).order_by(col(RoleGrant.id))
    )
    return list(rows)


async def roles_held(session: Session, people: Sequence[UUID]) -> dict[UUID, set[Role]]:
    """Read which roles people hold, at whatever place."""
    found: dict[UUID, set[Role]] = {}
    for row in await session.fetch(_ROLES_HELD, {"people": list(people)}):
        found.setdefault(row.person_id, set()).add(Role(row.role))
    return found


async def merchants_of(session: Session, people: Sequence[UUID]) -> dict[UUID, Workplace]:
    """Read at whose counters people stand, by the oldest grant."""
    rows = await session.fetch(_MERCHANTS_OF, {"people": list(people)})
    return {
        row.person_id: Workplace(row.merchant_id, row.org_id, row.org_path, row.name)
        for row in rows
    }


async def has_role_at(
    session: Session, person_id: UUID, roles: Collection[str], org_path: str
) -> bool:
    """Tell whether one of the roles is held at the organisation or above it."""
    query = (
        select(RoleGrant.id)
        .join(Org, col(Org.id) == col(RoleGrant.org_id))
        .where(RoleGrant.person_id == person_id, col(RoleGrant.role).in_(roles))
        .where(literal(org_path).op("^@")(col(Org.path)))
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


async def nearest_holders(
    session: Session, org: UUID, roles: Collection[str], but: Collection[UUID], at_least: int
) -> list[Holder]:
    """Read who holds a role at an organisation, without some.

    Levels above are added from the nearest on, until there are ``at_least`` so many.
    """
    wanted = {"org": org, "roles": list(roles), "but": list(but), "at_least": at_least}
    rows = await session.fetch(_NEAREST_HOLDERS, wanted)
    return [Holder(row.person_id, row.name) for row in rows]


async def grant_role(
    session: Session, person_id: UUID, role: str, *, org: UUID | None, merchant: UUID | None
) -> None:
    values = {"person_id": person_id, "role": role, "org_id": org, "merchant_id": merchant}
    await session.execute(insert(RoleGrant).values(values).on_conflict_do_nothing())


async def existing(session: Session, people: Sequence[UUID]) -> set[UUID]:
    """Return which of the ids are people."""
    rows = await session.exec(select(Person.id).where(col(Person.id).in_(people)))
    return set(rows)


async def names(session: Session, people: Sequence[UUID]) -> dict[UUID, Named]:
    """Read how people are called and whether they show it."""
    rows = await session.fetch(_NAMES, {"people": list(people)})
    return {row.id: Named(row.id, row.display_name, row.shows_name) for row in rows}
