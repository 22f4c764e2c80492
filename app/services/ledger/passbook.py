"""Reading the ledger as its owner does: balances and the passbook."""

from uuid import UUID

from app.core.db import Session
from app.core.pages import decode_cursor, encode_cursor
from app.models.ledger import Purpose
from app.queries import ledger as queries
from app.schemas.base import Page
from app.schemas.ledger import EntryOut, Expiring, PointsOut, Source
from app.services.ledger.types import MINUTES, POINTS


async def summary(tx: Session, person_id: UUID) -> PointsOut:
    """Return the person's balances, totals and what will expire when."""
    found = await queries.balances(tx, [person_id])
    earned, spent = await queries.totals(tx, person_id, POINTS)
    lots = await queries.expiring(tx, person_id, POINTS)
    return PointsOut(
        available=found.get((person_id, Purpose.available, POINTS), 0),
        pending=found.get((person_id, Purpose.pending, POINTS), 0),
        held=found.get((person_id, Purpose.held, POINTS), 0),
        minutes=found.get((person_id, Purpose.available, MINUTES), 0),
        earned_total=earned,
        spent_total=spent,
        expiring=[Expiring(points=points, expires_at=at) for points, at in lots],
    )


async def entries(tx: Session, person_id: UUID, cursor: str | None, limit: int) -> Page[EntryOut]:
    """Return a page of the person's available points, newest first."""
    key = decode_cursor(cursor, int)
    rows = await queries.passbook(
        tx, person_id, Purpose.available, POINTS, before=key[0] if key else None, limit=limit
    )
    items = [
        EntryOut(source=Source(type=row.pop("source_type"), id=row.pop("source_id")), **row)
        for row in rows
    ]
    more = bool(items) and items[-1].number > 1
    return Page(items=items, next_cursor=encode_cursor(items[-1].number) if more else None)
