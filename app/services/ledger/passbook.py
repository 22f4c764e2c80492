"""Reading the ledger for its owner: balances and passbook."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Row, Session
from app.core.errors import Refusal
from app.core.etag import TaggedBody
from app.core.paging import Page, PageParams, encode_cursor, keyset
from app.models.ledger import Kind, Purpose
from app.queries.ledger import posting as posting_queries
from app.queries.ledger import reading as reading_queries
from app.queries.ledger.reading import PageRow
from app.schemas.ledger import EntryOut, Expiring, MinutesOut, PointsOut, Source
from app.services.ledger import posting, totals
from app.services.ledger.posting import Locked
from app.services.ledger.types import MINUTES, AccountKey
from app.services.ledger.units import UnitUnknown, find_unit

LAST_NUMBER = 2**62


@dataclass(frozen=True, slots=True)
class _Balances:
    """Balances as they are once the ledger has ended overdue holds; points of lots by their end."""

    accounts: Locked
    lots: Counter[datetime]
    person_id: UUID
    unit: int
    at: datetime

    def of(self, purpose: Purpose, unit: int | None = None) -> int:
        row = self.accounts.get(AccountKey(self.person_id, purpose, unit or self.unit))
        return row.balance if row is not None else 0

    @property
    def available(self) -> int:
        """Points that can be spent. Those of ended lots cannot, also before they are posted."""
        ended = sum(points for end, points in self.lots.items() if end <= self.at)
        return self.of(Purpose.available) - ended


async def _balances(tx: Session, person_id: UUID, unit: int, at: datetime) -> _Balances:
    rows = await reading_queries.accounts_of(tx, person_id)
    accounts = {AccountKey(row.owner_id, Purpose(row.purpose), row.unit_id): row for row in rows}
    lots = Counter(await reading_queries.expiring(tx, person_id, unit))
    mine = accounts.get(AccountKey(person_id, Purpose.available, unit))
    if mine and (plan := await posting.after_overdue_holds(tx, accounts, at)):
        lots.update(plan.lots_moved(mine.id))
    return _Balances(accounts, lots, person_id, unit, at)


async def available(tx: Session, person_id: UUID, unit: int, at: datetime) -> int:
    """Return what ``summary`` shows as available."""
    return (await _balances(tx, person_id, unit, at)).available


async def summary(tx: Session, person_id: UUID, unit: int, at: datetime) -> PointsOut:
    """Return the person's balances in a unit, totals, and points by expiry; without caps.

    Expired points are not available, whether or not they have been posted as expired yet. Points
    of overdue holds are shown as they will be once the ledger has ended the holds. ``tx`` is a
    snapshot.
    """
    balances = await _balances(tx, person_id, unit, at)
    found = await totals.read(tx, person_id, unit, at)
    whole, hours = found[unit], found[MINUTES]
    return PointsOut(
        available=balances.available,
        pending=balances.of(Purpose.pending),
        held=balances.of(Purpose.held),
        owed=-balances.of(Purpose.debt),
        minutes=balances.of(Purpose.available, MINUTES),
        earned_total=whole.all.earned,
        spent_total=whole.all.spent,
        expiring=[
            Expiring(points=points, expires_at=end)
            for end, points in sorted(balances.lots.items())
            if end > at and points
        ],
        totals=whole,
        minutes_earned=MinutesOut(
            all=hours.all.earned, year=hours.year.earned, month=hours.month.earned
        ),
        caps_left=None,
    )


@dataclass(frozen=True, slots=True)
class PassbookQuery:
    """Arguments of one page: ``limit`` entries in a unit with numbers below ``before``.

    ``known``: the tag of the page that the caller has.
    """

    person_id: UUID
    unit: str
    before: int | None
    limit: int
    known: str | None


def query(person_id: UUID, unit: str, asked: PageParams, known: str | None) -> PassbookQuery:
    """Decode the cursor. Raises Invalid."""
    after = asked.after(int)
    return PassbookQuery(person_id, unit, after[0] if after else None, asked.limit, known)


async def pages(tx: Session, asked: Sequence[PassbookQuery]) -> list[TaggedBody | Refusal]:
    """Return a ``Page[EntryOut]`` for each query, newest entries first; or UnitUnknown."""
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
    """Entries of these kinds, from ``since`` on and before ``until``."""

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


def _page(row: PageRow | None, size: int) -> TaggedBody:
    if row is None:
        return TaggedBody(tag="empty", body=b'{"items":[],"next_cursor":null}')
    if row.items is None:
        return TaggedBody(row.tag, body=None)
    # Numbers have no gaps, so the last one on the page can be computed.
    last = row.newest - size + 1
    cursor = f'"{encode_cursor(last)}"' if last > 1 else "null"
    return TaggedBody(row.tag, f'{{"items":{row.items},"next_cursor":{cursor}}}'.encode())
