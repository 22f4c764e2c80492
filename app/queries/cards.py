"""SQL of cards and their codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.cards import NEW_SERIAL, Card, CardCode, CardStatus, CodePurpose, EndedCard


@dataclass(slots=True)
class CodeRow:
    """A locked code, with the status of its card."""

    id: UUID
    code: str
    person_id: UUID
    purpose: str | None
    valid_from: datetime | None
    expires_at: datetime
    used_at: datetime | None
    used_by: UUID | None
    card_status: str


class Window(NamedTuple):
    """A code that is not used, and when it is good."""

    code: str
    valid_from: datetime | None
    expires_at: datetime


# The card is locked FOR SHARE, so that it is not suspended between this read and the charge.
LOCK_CODES = """
SELECT k.id, k.code, k.person_id, k.purpose, k.valid_from, k.expires_at, k.used_at, k.used_by,
       c.status AS card_status
FROM card_codes k JOIN cards c ON c.person_id = k.person_id
WHERE k.code = ANY(CAST(:codes AS text[])) ORDER BY k.id FOR UPDATE OF k FOR SHARE OF c
"""

_USE = """
UPDATE card_codes k SET used_at = :at, used_by = u.by
FROM unnest(CAST(:ids AS uuid[]), CAST(:by AS uuid[])) AS u(id, by)
WHERE k.id = u.id AND k.used_at IS NULL
"""

# A card of an account that was merged is read as the person's other card. That of an erased account
# is nobody's.
_HOLDERS = """
SELECT c.serial, coalesce(p.merged_into_id, c.person_id) AS person_id
FROM cards c JOIN people p ON p.id = c.person_id
WHERE c.serial = ANY(CAST(:serials AS int[])) AND p.erased_at IS NULL
"""


async def add(session: Session, person: UUID, serial: int | None = None) -> None:
    """Insert the card of a new person. ``serial``: of demonstration data; else it is drawn."""
    card = Card(person_id=person)
    if serial is not None:
        card.serial = serial
    session.add(card)
    await session.flush()


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


async def lock(session: Session, person: UUID) -> Card | None:
    """Lock a card for a change."""
    return (
        await session.exec(select(Card).where(Card.person_id == person).with_for_update())
    ).first()


async def renumber(session: Session, card: Card, ended: EndedCard) -> None:
    """Keep the number of a locked card as an ended one, give it another, write its changes."""
    session.add(ended)
    card.serial = text(NEW_SERIAL)  # type: ignore[assignment]
    session.add(card)
    await session.flush()
    await session.refresh(card)


async def save(session: Session, card: Card) -> None:
    """Write the changed columns of a locked card."""
    session.add(card)
    await session.flush()


async def ended(
    session: Session, person: UUID, before: UUID | None, limit: int
) -> Sequence[EndedCard]:
    """Read the numbers that a person's card had, newest first."""
    query = select(EndedCard).where(EndedCard.person_id == person)
    if before is not None:
        query = query.where(col(EndedCard.id) < before)
    return (await session.exec(query.order_by(col(EndedCard.id).desc()).limit(limit))).all()


async def ended_since(session: Session, person: UUID, since: datetime) -> list[datetime]:
    """Read when numbers of a person's card ended, from a time on, in order."""
    query = select(EndedCard.ended_at).where(
        EndedCard.person_id == person, col(EndedCard.ended_at) > since
    )
    return list(await session.exec(query.order_by(col(EndedCard.ended_at))))


async def ended_by_serial(session: Session, serials: Sequence[int]) -> dict[int, EndedCard]:
    """Read ended numbers by serial."""
    query = select(EndedCard).where(col(EndedCard.serial).in_(serials))
    return {one.serial: one for one in await session.exec(query)}


async def live_codes(
    session: Session, person: UUID, purpose: CodePurpose | None, after: datetime
) -> list[Window]:
    """Read the codes of an active card that are not used and expire later, by their windows."""
    query = (
        select(CardCode.code, CardCode.valid_from, CardCode.expires_at)
        .join(Card, col(Card.person_id) == col(CardCode.person_id))
        .where(CardCode.person_id == person, Card.status == CardStatus.active)
        .where(col(CardCode.expires_at) > after, col(CardCode.used_at).is_(None))
        .where(col(CardCode.purpose).is_not_distinct_from(purpose))
        .order_by(col(CardCode.expires_at), col(CardCode.id))
    )
    return [Window(*row) for row in await session.exec(query)]


async def insert_code(
    session: Session,
    person: UUID,
    code: str,
    expires_at: datetime,
    valid_from: datetime | None = None,
    purpose: CodePurpose | None = None,
) -> bool:
    """Insert a code; False if the same code exists, which is unlikely."""
    values = {
        "code": code,
        "person_id": person,
        "purpose": purpose,
        "valid_from": valid_from,
        "expires_at": expires_at,
    }
    query = insert(CardCode).values(values).on_conflict_do_nothing(index_elements=["code"])
    return (await session.execute(query.returning(col(CardCode.id)))).first() is not None


async def lock_codes(session: Session, codes: Sequence[str]) -> dict[str, CodeRow]:
    """Lock codes in the order of their ids, in one statement."""
    rows = await session.fetch(LOCK_CODES, {"codes": list(codes)})
    return {row["code"]: CodeRow(**row) for row in rows}


async def use_codes(
    session: Session, ids: Sequence[UUID], at: datetime, by: Sequence[UUID | None] | None = None
) -> None:
    """Use up locked codes. ``by``: of each, the merchant where it was, else who used it."""
    users = list(by) if by is not None else [None] * len(ids)
    await session.fetch(_USE, {"ids": list(ids), "at": at, "by": users})


async def end_codes(session: Session, person: UUID, at: datetime) -> None:
    """End all codes of a card that are not used; they are locked as for their use."""
    living = select(CardCode).where(CardCode.person_id == person, col(CardCode.expires_at) > at)
    living = living.where(col(CardCode.used_at).is_(None)).order_by(col(CardCode.id))
    for one in (await session.exec(living.with_for_update())).all():
        one.expires_at = at
    await session.flush()


async def forget_expired(session: Session, before: datetime) -> None:
    await session.execute(delete(CardCode).where(col(CardCode.expires_at) < before))
