"""A statement of the passbook: the entries of a period as a document, with sums.

Entries never change and are numbered without gaps. The range of numbers is determined once;
then the entries are read page by page. So no connection is held while a page is written,
entries posted meanwhile are not included, and memory holds one page.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import IO, NamedTuple
from uuid import UUID

from app.core.clock import local_date, local_time, midnight, now
from app.core.db import Database, Row, Session
from app.core.normalize import legible
from app.core.spool import spooled
from app.core.validation_messages import invalid
from app.models.ledger import Kind, Purpose
from app.queries import people
from app.queries.ledger import sealing as sealing_queries
from app.queries.ledger import statement as statement_queries
from app.queries.ledger import units as units_queries
from app.queries.ledger.sealing import Sealed
from app.queries.ledger.statement import Span
from app.services.ledger.types import MINUTES
from app.services.ledger.units import unit_of

PAGE = 1_000
# Files up to this size stay in memory; larger ones go to the temporary directory.
IN_MEMORY = 2**20
A_DAY = timedelta(days=1)
# All entries lie between these days.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
_NOTHING = Span(account=0, before=0, last=0, opening=0, closing=0)


class Period(NamedTuple):
    """Days in Asia/Shanghai, both included."""

    since: date
    until: date


def period_of(since: date | None, until: date | None, place: str = "query") -> Period:
    """Complete a period: until today, since the first of that month.

    Raises Invalid, for a field of ``place``.
    """
    until = until or local_date(now())
    since = since or until.replace(day=1)
    if until < since:
        raise invalid(f"{place}.until", "结束日期早于开始日期", "a period ends after it begins")
    return Period(since, until)


@dataclass(frozen=True, slots=True)
class Heading:
    """What is known before the first entry. Balances are of available points.

    ``owed`` points and ``minutes`` of volunteering: before and after the period. ``seal`` is the
    newest seal of the period's days.
    """

    title: str
    unit: str
    holder: str
    holder_id: UUID
    period: Period
    made_at: datetime  # in Asia/Shanghai
    entries: int
    opening: int
    closing: int
    owed: tuple[int, int]
    minutes: tuple[int, int]
    seal: Sealed | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry; one of ``income`` and ``outgo`` is 0. ``at`` is local time in Asia/Shanghai."""

    number: int
    at: datetime
    title: str
    kind: Kind
    income: int
    outgo: int
    balance: int
    transfer_id: UUID

    @property
    def voucher(self) -> str:
        """The last group of the transfer's id: the random part."""
        return str(self.transfer_id).rpartition("-")[2]


# Returns titles in the language of their reader.
Say = Callable[[Session, Sequence[str]], Awaitable[list[str]]]


class Sums(NamedTuple):
    income: int
    outgo: int


class Form(ABC):
    """The format of a statement. Its methods block: each is called in a thread."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    @abstractmethod
    def begin(self, heading: Heading) -> None: ...

    @abstractmethod
    def add(self, entries: Sequence[Entry]) -> None: ...

    @abstractmethod
    def end(self, heading: Heading, sums: Sums) -> None: ...

    def close(self) -> None:  # noqa: B027 - most forms leave nothing
        """Release resources; called whether or not ``end`` was."""


class Statement(NamedTuple):
    """A finished document. The receiver closes the file."""

    heading: Heading
    file: IO[bytes]


async def make_statement(
    database: Database,
    person_id: UUID,
    unit: str,
    period: Period,
    form: type[Form],
    say: Say | None = None,
) -> Statement:
    """Write the statement of a period; ``say`` translates the titles. Raises UnitUnknown."""
    async with database.read() as tx:
        heading, span = await _beginning(tx, person_id, await unit_of(tx, unit), period)
    with spooled(IN_MEMORY) as file, closing(form(file)) as document:
        await _write(database, document, heading, span, say)
    return Statement(heading, file)


async def _beginning(
    tx: Session, person_id: UUID, unit: int, period: Period
) -> tuple[Heading, Span]:
    day_after = within_reach(period.until) + A_DAY
    bounds = midnight(within_reach(period.since)), midnight(day_after)
    span, debt, minutes = [
        await statement_queries.span(tx, person_id, purpose, counted, *bounds) or _NOTHING
        for purpose, counted in (
            (Purpose.available, unit),
            (Purpose.debt, unit),
            (Purpose.available, MINUTES),
        )
    ]
    seals = await sealing_queries.seals(tx, day_after, limit=1)
    holders = await people.names(tx, [person_id])
    name = legible(await units_queries.unit_name(tx, unit))
    heading = Heading(
        title=f"{name}对账单",
        unit=name,
        holder=legible(holders[person_id].display_name),
        holder_id=person_id,
        period=period,
        made_at=local_time(now()),
        entries=span.last - span.before,
        opening=span.opening,
        closing=span.closing,
        owed=(-debt.opening, -debt.closing),
        minutes=(minutes.opening, minutes.closing),
        seal=seals[0] if seals and seals[0].day >= period.since else None,
    )
    return heading, span


async def _write(
    database: Database, document: Form, heading: Heading, span: Span, say: Say | None
) -> None:
    income = outgo = 0
    await asyncio.to_thread(document.begin, heading)
    for first in range(span.before + 1, span.last + 1, PAGE):
        last = min(first + PAGE - 1, span.last)
        async with database.read() as tx:
            rows = await statement_queries.entries(tx, span.account, first, last)
            titles = [row.reason for row in rows]
            titles = titles if say is None else await say(tx, titles)
        income += sum(row.income for row in rows)
        outgo += sum(row.outgo for row in rows)
        await asyncio.to_thread(document.add, list(map(_entry, rows, titles)))
    assert heading.opening + income - outgo == heading.closing, "a statement adds up"
    await asyncio.to_thread(document.end, heading, Sums(income, outgo))


def _entry(row: Row, title: str) -> Entry:
    return Entry(
        number=row.number,
        at=local_time(row.created_at),
        title=legible(title),
        kind=Kind(row.kind),
        income=row.income,
        outgo=row.outgo,
        balance=row.balance,
        transfer_id=row.id,
    )


def within_reach(day: date) -> date:
    """Clamp a day to the range in which entries can lie; the result is the same."""
    return min(max(day, FIRST_DAY), LAST_DAY)
