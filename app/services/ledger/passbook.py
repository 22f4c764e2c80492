"""Reading the ledger as its owner does: balances and the passbook."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.db import Session
from app.core.pages import decode_cursor, encode_cursor
from app.core.rendered import Rendered
from app.models.ledger import Purpose
from app.queries import ledger as queries
from app.queries.ledger import PageRow
from app.schemas.ledger import Expiring, PointsOut
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
        owed=-found.get((person_id, Purpose.debt, POINTS), 0),
        minutes=found.get((person_id, Purpose.available, MINUTES), 0),
        earned_total=earned,
        spent_total=spent,
        expiring=[Expiring(points=points, expires_at=at) for points, at in lots],
    )


@dataclass(frozen=True, slots=True)
class PageOf:
    """A question: ``limit`` entries of a person's available points, numbers below ``before``.

    ``known`` is the tag of the page that the caller has.
    """

    person_id: UUID
    before: int | None
    limit: int
    known: str | None


def page_of(person_id: UUID, cursor: str | None, limit: int, known: str | None) -> PageOf:
    """Read the cursor. Raises Invalid."""
    key = decode_cursor(cursor, int)
    return PageOf(person_id, key[0] if key else None, limit, known)


async def pages(tx: Session, asked: Sequence[PageOf]) -> list[Rendered]:
    """Return a ``Page[EntryOut]`` for each question, newest entries first."""
    found = await queries.passbooks(
        tx,
        [(one.person_id, one.before, one.limit, one.known) for one in asked],
        purpose=Purpose.available,
        unit=POINTS,
    )
    return [_page(row, one.limit) for row, one in zip(found, asked, strict=True)]


def _page(row: PageRow | None, size: int) -> Rendered:
    if row is None:
        return Rendered(tag="empty", body=b'{"items":[],"next_cursor":null}')
    if row.items is None:
        return Rendered(row.tag, body=None)
    # Numbers have no gap: the last one on the page is known without looking.
    last = row.newest - size + 1
    cursor = f'"{encode_cursor(last)}"' if last > 1 else "null"
    return Rendered(row.tag, f'{{"items":{row.items},"next_cursor":{cursor}}}'.encode())
