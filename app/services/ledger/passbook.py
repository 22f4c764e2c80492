"""Reading the ledger as its owner does: balances and the passbook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Row, Session
from app.core.errors import Refusal
from app.core.etag import Rendered
from app.core.paging import Page, PageParams, encode_cursor, keyset
from app.models.ledger import Kind, Purpose
from app.queries.ledger import posting as posting_queries
from app.queries.ledger import reading as reading_queries
from app.queries.ledger.reading import PageRow
from app.schemas.ledger import EntryOut, Expiring, PointsOut, Source
from app.services.ledger.types import MINUTES
from app.services.ledger.units import UnitUnknown, find_unit

LAST_NUMBER = 2**62


async def summary(tx: Session, person_id: UUID, unit: int, at: datetime) -> PointsOut:
    """Return the person's balances in a unit, totals and what will expire when.

    What has expired is not available, whether it has been taken away yet or not.
    """
    found = await reading_queries.balances(tx, [person_id])
    earned, spent = await reading_queries.totals(tx, person_id, unit)
    lots = await reading_queries.expiring(tx, person_id, unit)
    expired = sum(points for points, end in lots if end <= at)
    return PointsOut(
        available=found.get((person_id, Purpose.available, unit), 0) - expired,
        pending=found.get((person_id, Purpose.pending, unit), 0),
        held=found.get((person_id, Purpose.held, unit), 0),
        owed=-found.get((person_id, Purpose.debt, unit), 0),
        minutes=found.get((person_id, Purpose.available, MINUTES), 0),
        earned_total=earned,
        spent_total=spent,
        expiring=[Expiring(points=points, expires_at=end) for points, end in lots if end > at],
    )


@dataclass(frozen=True, slots=True)
class PageOf:
    """A question: ``limit`` entries of a person's points in a unit, numbers below ``before``.

    ``known`` is the tag of the page that the caller has.
    """

    person_id: UUID
    unit: str
    before: int | None
    limit: int
    known: str | None


def page_of(person_id: UUID, unit: str, asked: PageParams, known: str | None) -> PageOf:
    """Read the cursor. Raises Invalid."""
    after = asked.after(int)
    return PageOf(person_id, unit, after[0] if after else None, asked.limit, known)


async def pages(tx: Session, asked: Sequence[PageOf]) -> list[Rendered | Refusal]:
    """Return a ``Page[EntryOut]`` for each question, newest entries first; or UnitUnknown."""
    units = {code: await find_unit(tx, code) for code in {one.unit for one in asked}}
    found = await reading_queries.passbooks(
        tx,
        [(one.person_id, units[one.unit] or 0, one.before, one.limit, one.known) for one in asked],
    )
    return [
        _page(row, one.limit) if units[one.unit] else UnitUnknown()
        for row, one in zip(found, asked, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries: of some kinds, from a moment on, before another."""

    kinds: Sequence[Kind] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        return (self.kinds, self.since, self.until) != (None, None, None)


async def search(
    tx: Session, person_id: UUID, unit: int, wanted: Filter, asked: PageParams
) -> Page[EntryOut]:
    """Return entries of a passbook by kind and time, newest first."""
    account = await posting_queries.account_id(tx, person_id, Purpose.available, unit)
    if account is None:
        return Page(items=[])
    kinds, since, until = wanted.kinds, wanted.since, wanted.until
    return await keyset(
        asked,
        (int,),
        lambda after, limit: reading_queries.search(
            tx, account, kinds, since, until, after[0] if after else LAST_NUMBER, limit
        ),
        _entry,
        lambda row: (row.number,),
    )


def _entry(row: Row) -> EntryOut:
    source = Source(type=row.source_type, id=row.source_id)
    return EntryOut(
        source=source, **{name: row[name] for name in EntryOut.model_fields if name != "source"}
    )


def _page(row: PageRow | None, size: int) -> Rendered:
    if row is None:
        return Rendered(tag="empty", body=b'{"items":[],"next_cursor":null}')
    if row.items is None:
        return Rendered(row.tag, body=None)
    # Numbers have no gap: the last one on the page is known without looking.
    last = row.newest - size + 1
    cursor = f'"{encode_cursor(last)}"' if last > 1 else "null"
    return Rendered(row.tag, f'{{"items":{row.items},"next_cursor":{cursor}}}'.encode())
