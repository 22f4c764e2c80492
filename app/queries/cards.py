"""SQL of cards and their codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.cards import Card, CardCode, CardStatus


@dataclass(slots=True)
class CodeRow:
    """A locked code, with the status of its card."""

    id: UUID
    code: str
    person_id: UUID
    expires_at: datetime
    used_at: datetime | None
    card_status: str


# The card is locked FOR SHARE, so that it is not suspended between this read and the charge.
LOCK_CODES = """
SELECT k.id, k.code, k.person_id, k.expires_at, k.used_at, c.status AS card_status
FROM card_codes k JOIN cards c ON c.person_id = k.person_id
WHERE k.code = ANY(CAST(:codes AS text[])) ORDER BY k.id FOR UPDATE OF k FOR SHARE OF c
"""

_USE = """
UPDATE card_codes SET used_at = :at WHERE id = ANY(CAST(:ids AS uuid[])) AND used_at IS NULL
"""

# A card of an account that was merged is read as the person's other card. That of an erased account
# is nobody's.
_HOLDERS = """
SELECT c.serial, coalesce(p.merged_into_id, c.person_id) AS person_id
FROM cards c JOIN people p ON p.id = c.person_id
WHERE c.serial = ANY(CAST(:serials AS int[])) AND p.erased_at IS NULL
"""


async def find(session: Session, person: UUID) -> Card | None:
    return await session.get(Card, person)


async def lock_status(session: Session, person: UUID) -> str | None:
    """Read a card's status and lock it FOR SHARE: it is not suspended before the commit."""
    found = select(Card.status).where(Card.person_id == person).with_for_update(read=True)
    return (await session.exec(found)).first()


async def holders(session: Session, serials: Sequence[int]) -> dict[int, UUID]:
    """Return the holders of cards by serial."""
    rows = await session.fetch(_HOLDERS, {"serials": list(serials)})
    return {row.serial: row.person_id for row in rows}


async def current_code(session: Session, person: UUID, at: datetime) -> tuple[str, datetime] | None:
    """Read the valid code of an active card: neither used nor expired."""
    query = (
        select(CardCode.code, CardCode.expires_at)
        .join(Card, col(Card.person_id) == col(CardCode.person_id))
        .where(CardCode.person_id == person, Card.status == CardStatus.active)
        .where(col(CardCode.expires_at) > at, col(CardCode.used_at).is_(None))
        .order_by(col(CardCode.expires_at).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def insert_code(session: Session, person: UUID, code: str, expires_at: datetime) -> bool:
    """Insert a code; False if the same code exists, which is unlikely."""
    values = {"code": code, "person_id": person, "expires_at": expires_at}
    query = insert(CardCode).values(values).on_conflict_do_nothing(index_elements=["code"])
    return (await session.execute(query.returning(col(CardCode.id)))).first() is not None


async def lock_codes(session: Session, codes: Sequence[str]) -> dict[str, CodeRow]:
    """Lock codes in the order of their ids, in one statement."""
    rows = await session.fetch(LOCK_CODES, {"codes": list(codes)})
    return {row["code"]: CodeRow(**row) for row in rows}


async def use_codes(session: Session, ids: Sequence[UUID], at: datetime) -> None:
    await session.fetch(_USE, {"ids": list(ids), "at": at})


async def forget_expired(session: Session, before: datetime) -> None:
    await session.execute(delete(CardCode).where(col(CardCode.expires_at) < before))
