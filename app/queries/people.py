"""SQL of people and their roles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from app.core.db import Session
from app.models.people import Person, Role, RoleGrant

_MAY_AT_ORG = text("""
SELECT 1 FROM role_grants g JOIN orgs o ON o.id = g.org_id
WHERE g.person_id = :person AND g.role = ANY(CAST(:roles AS text[])) AND :path ^@ o.path
LIMIT 1
""")

_INSERT = text("""
INSERT INTO people (openid_index, openid_sealed, display_name)
VALUES (:openid_index, :openid_sealed, :display_name)
ON CONFLICT (openid_index) DO NOTHING
RETURNING id
""")

_OPEN_CARD = text("INSERT INTO cards (person_id) VALUES (:person)")

_RESEAL = text("""
UPDATE people SET openid_index = :index, openid_sealed = :sealed WHERE id = :person
""")

_GRANT = text("""
INSERT INTO role_grants (person_id, role, org_id, merchant_id)
VALUES (:person, :role, :org, :merchant) ON CONFLICT DO NOTHING
""")


_ROLES_HELD = """
SELECT DISTINCT person_id, role FROM role_grants WHERE person_id = ANY(CAST(:people AS uuid[]))
"""

_NAMES = """
SELECT id, display_name, shows_name FROM people WHERE id = ANY(CAST(:people AS uuid[]))
"""

_MERCHANTS_OF = """
SELECT DISTINCT ON (g.person_id) g.person_id, m.id AS merchant_id, m.org_id, o.path AS org_path
FROM role_grants g JOIN merchants m ON m.id = g.merchant_id JOIN orgs o ON o.id = m.org_id
WHERE g.person_id = ANY(CAST(:people AS uuid[]))
ORDER BY g.person_id, g.id
"""


@dataclass(frozen=True, slots=True)
class Workplace:
    """The merchant at whose counter somebody stands, and the merchant's organisation."""

    merchant_id: UUID
    org_id: UUID
    org_path: str


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


async def insert(
    session: Session, *, openid_index: bytes, openid_sealed: bytes, display_name: str
) -> UUID | None:
    """Insert a person with a card; None if somebody was faster."""
    made = await session.execute(
        _INSERT,
        {
            "openid_index": openid_index,
            "openid_sealed": openid_sealed,
            "display_name": display_name,
        },
    )
    person_id: UUID | None = made.scalar_one_or_none()
    if person_id is not None:
        await session.execute(_OPEN_CARD, {"person": person_id})
    return person_id


async def reseal(session: Session, person: UUID, openid_index: bytes, openid_sealed: bytes) -> None:
    """Store an openid under another key."""
    await session.execute(
        _RESEAL, {"person": person, "index": openid_index, "sealed": openid_sealed}
    )


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
    return {row.person_id: Workplace(row.merchant_id, row.org_id, row.org_path) for row in rows}


async def has_role_at(
    session: Session, person_id: UUID, roles: Collection[str], org_path: str
) -> bool:
    """Tell whether one of the roles is held at the organisation or above it."""
    row = await session.execute(
        _MAY_AT_ORG, {"person": person_id, "roles": list(roles), "path": org_path}
    )
    return row.first() is not None


async def grant_role(
    session: Session, person_id: UUID, role: str, *, org: UUID | None, merchant: UUID | None
) -> None:
    await session.execute(
        _GRANT, {"person": person_id, "role": role, "org": org, "merchant": merchant}
    )


async def existing(session: Session, people: Sequence[UUID]) -> set[UUID]:
    """Return which of the ids are people."""
    rows = await session.exec(select(Person.id).where(col(Person.id).in_(people)))
    return set(rows)


async def names(session: Session, people: Sequence[UUID]) -> dict[UUID, Named]:
    """Read how people are called and whether they show it."""
    rows = await session.fetch(_NAMES, {"people": list(people)})
    return {row.id: Named(row.id, row.display_name, row.shows_name) for row in rows}
