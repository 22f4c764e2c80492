"""SQL of cards and their codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.core.db import Session
from app.models.cards import Card


@dataclass(slots=True)
class CodeRow:
    """A locked code, with the card that it stands for.

    ``has_overdue``: points of the person are held though nobody collected in time.
    """

    id: UUID
    code: str
    person_id: UUID
    expires_at: datetime
    used_at: datetime | None
    card_status: str
    has_overdue: bool


_CURRENT = text("""
SELECT code, expires_at FROM card_codes
WHERE person_id = :person AND expires_at > :at AND used_at IS NULL
ORDER BY expires_at DESC LIMIT 1
""")

_INSERT = text("""
INSERT INTO card_codes (code, person_id, expires_at) VALUES (:code, :person, :expires_at)
ON CONFLICT (code) DO NOTHING RETURNING code
""")

LOCK_CODES = """
SELECT k.id, k.code, k.person_id, k.expires_at, k.used_at, c.status AS card_status,
       EXISTS (SELECT FROM redemptions r WHERE r.person_id = k.person_id
               AND r.status = 'reserved' AND r.expires_at <= :at) AS has_overdue
FROM card_codes k JOIN cards c ON c.person_id = k.person_id
WHERE k.code = ANY(CAST(:codes AS text[])) ORDER BY k.id FOR UPDATE OF k
"""

_USE = """
UPDATE card_codes SET used_at = :at WHERE id = ANY(CAST(:ids AS uuid[])) AND used_at IS NULL
"""

_HOLDERS = "SELECT serial, person_id FROM cards WHERE serial = ANY(CAST(:serials AS int[]))"

_FORGET = text("DELETE FROM card_codes WHERE expires_at < :before")


async def find(session: Session, person: UUID) -> Card | None:
    return await session.get(Card, person)


async def holders(session: Session, serials: Sequence[int]) -> dict[int, UUID]:
    """Return whose cards these are, by serial."""
    rows = await session.fetch(_HOLDERS, {"serials": list(serials)})
    return {row.serial: row.person_id for row in rows}


async def current_code(session: Session, person: UUID, at: datetime) -> tuple[str, datetime] | None:
    """Read the code that the card shows now, if it is neither used nor expired."""
    row = (await session.execute(_CURRENT, {"person": person, "at": at})).one_or_none()
    return (row.code, row.expires_at) if row else None


async def insert_code(session: Session, person: UUID, code: str, expires_at: datetime) -> bool:
    """Insert a code; False in the unlikely case that it exists."""
    made = await session.execute(
        _INSERT, {"person": person, "code": code, "expires_at": expires_at}
    )
    return made.first() is not None


async def lock_codes(session: Session, codes: Sequence[str], at: datetime) -> dict[str, CodeRow]:
    """Lock codes in the order of their ids, once."""
    rows = await session.fetch(LOCK_CODES, {"codes": list(codes), "at": at})
    return {row["code"]: CodeRow(**row) for row in rows}


async def use_codes(session: Session, ids: Sequence[UUID], at: datetime) -> None:
    await session.fetch(_USE, {"ids": list(ids), "at": at})


async def forget_expired(session: Session, before: datetime) -> None:
    await session.execute(_FORGET, {"before": before})
