"""``python -m bench.growth``: what a read costs when there is a hundred times more to read.

Each read is the service's own verb in its own transaction, as a request makes it; the web
framework is left out, since its constant milliseconds would only hide growth. Two databases
and two boards, small and large, are asked in turn, so that whatever else the machine does
meets both. A read is the median of its repetitions; its ratio, large over small, may be 1.5.

In a third database tables grow under a connection that stays (``staying``): the same ratio, over
a fresh connection.
"""

import asyncio
import gc
import re
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from app.core.clock import BEGINNING, now
from app.core.db import Session
from app.core.ids import NIL
from app.core.paging import PageParams, encode_cursor
from app.core.settings import Settings
from app.embedded.databases import create_database, renamed
from app.embedded.layout import Engines
from app.migrations import migrate
from app.models.activities import ActivityStatus, Category
from app.models.ledger import Purpose
from app.models.orgs import Level
from app.queries import leaderboards as leaderboard_queries
from app.queries import notices as notice_queries
from app.queries.activities import ActivityFilter
from app.queries.ledger import statement as statement_queries
from app.queries.orgs import OrgFilter
from app.runtime import Runtime, open_runtime
from app.schemas.notices import MAX_UNREAD
from app.services import browsing, notices, orgs
from app.services import signups as signup_service
from app.services.awards import overview
from app.services.leaderboards import reading as leaderboards
from app.services.leaderboards.reading import Board, BoardQuery
from app.services.ledger import passbook as ledger_passbook
from app.services.ledger.types import POINTS
from app.services.merchants import statement
from app.services.merchants.access import Staff
from app.services.redemptions import reading
from bench import staying
from bench.crowds import (
    ACCOUNT,
    CITY,
    COMMUNITY,
    DISTRICT,
    MIDDLE,
    MONTH,
    ONE,
    STAFF,
    Size,
    gather,
    rank,
)
from bench.scratch import scratch_engines

SMALL = Size(people=10_000, entries=1_000, activities=2_000, others=2_000)
LARGE = Size(people=1_000_000, entries=100_000, activities=200_000, others=200_000)
ALLOWED, WARM_UP, REPETITIONS, PAGE = 1.5, 10, 100, 20
out = Console()


@dataclass(frozen=True)
class World:
    """One of the two: its engines, its size, the organisations that are asked for."""

    runtime: Runtime
    size: Size
    orgs: dict[str, Any]


@dataclass(frozen=True)
class Read:
    """``items`` says how full the answer is: both worlds must give the same."""

    name: str
    ask: Callable[[World, Session], Awaitable[Any]]
    items: Callable[[Any], int] = lambda page: len(page.items)


def listing(
    name: str,
    org: str | None = None,
    status: ActivityStatus | None = None,
    caller: UUID | None = None,
    **filters: Any,
) -> Read:
    """Return a read of a page of activities."""

    async def ask(world: World, tx: Session) -> Any:
        wanted, org_id = ActivityFilter(**filters), world.orgs[org] if org else None
        return await browsing.browse(tx, caller, wanted, org_id, status, PageParams(PAGE))

    return Read(f"activities: {name}", ask)


def passbook(name: str, cursor: Callable[[World], str | None]) -> Read:
    return Read(
        f"passbook: {name}",
        lambda w, tx: ledger_passbook.pages(
            tx, [ledger_passbook.query(ONE, "points", PageParams(PAGE, cursor(w)), None)]
        ),
        lambda pages: pages[0].body.count(b'"number"'),
    )


READS = (
    Read(
        "leaderboard: page and own rank",
        lambda w, tx: leaderboards.read(
            tx, w.runtime.boards, [BoardQuery(Board(w.orgs[CITY], "year", PAGE), ONE)]
        ),
        lambda boards: boards[0].body.count(b'"rank"'),
    ),
    Read(
        "leaderboard: the next transfers to count",
        lambda _, tx: leaderboard_queries.gains_after(
            tx, (0, NIL), born_until=date(2010, 1, 1), limit=PAGE
        ),
        lambda found: len(found[0]),
    ),
    passbook("newest page", lambda _: None),
    passbook("page in the middle", lambda w: encode_cursor(w.size.entries // 2)),
    Read(
        "points: balances, totals and caps",
        lambda _, tx: overview.points(tx, ONE, POINTS, now()),
        lambda found: found.totals.all.earned - found.totals.month.earned + 1,
    ),
    Read(
        "statement: which entries a period has",
        lambda _, tx: statement_queries.span(tx, ONE, Purpose.available, POINTS, BEGINNING, now()),
        lambda span: span.opening == 0 < span.closing,
    ),
    Read(
        "statement: entries in the middle",
        lambda w, tx: statement_queries.entries(
            tx, ACCOUNT, w.size.entries // 2 + 1, w.size.entries // 2 + PAGE
        ),
        len,
    ),
    listing("everywhere"),
    listing("city", CITY),
    listing("district", DISTRICT),
    listing("community", COMMUNITY),
    listing("home feed with mine", DISTRICT, caller=ONE, ends_after=MIDDLE),
    listing("search with mine", CITY, caller=ONE, q="清洁", ends_after=MIDDLE),
    listing("city, category", CITY, category=Category.volunteer_service),
    listing("district, category", DISTRICT, category=Category.volunteer_service),
    listing("community, category", COMMUNITY, category=Category.volunteer_service),
    listing("city, cancelled", CITY, status=ActivityStatus.cancelled),
    listing("district, published", DISTRICT, status=ActivityStatus.published),
    listing("city, starts_after", CITY, starts_after=MIDDLE),
    listing("district, starts_after", DISTRICT, starts_after=MIDDLE),
    listing("community, starts_after", COMMUNITY, starts_after=MIDDLE),
    listing("city, q in 1 of 4", CITY, q="清洁"),
    listing("city, q in 1 of 50", CITY, q="急救培训"),
    listing("city, q in 3 of all", CITY, q="灯谜"),
    listing("city, q in none", CITY, q="滑雪"),
    listing("city, q of one character", CITY, q="洁"),
    listing("district, q in 1 of 4", DISTRICT, q="清洁"),
    listing("community, q in 1 of 4", COMMUNITY, q="清洁"),
    listing("city, q in every description", CITY, q="帽子"),
    listing("city, q of three words, traditional", CITY, q="水 清潔 準時"),
    Read(
        "organisations: communities of the tree",
        lambda _, tx: orgs.browse(tx, OrgFilter(level=Level.community), PageParams(PAGE)),
    ),
    Read("own sign-ups", lambda _, tx: signup_service.mine(tx, ONE, PageParams(PAGE))),
    Read("own notices", lambda _, tx: notices.mine(tx, ONE, PageParams(PAGE))),
    Read("unread notices", lambda _, tx: notice_queries.unread(tx, ONE, MAX_UNREAD), int),
    Read("own redemptions", lambda _, tx: reading.mine(tx, ONE, PageParams(PAGE))),
    Read(
        "merchant's statement",
        lambda _, tx: statement.statement(
            tx, Staff(STAFF), MONTH, statement.period_of(MONTH, None, None)
        ),
    ),
)


async def once(read: Read, world: World) -> tuple[float, int]:
    """Ask once; return milliseconds and the number of items."""
    began = time.perf_counter()
    async with world.runtime.database.read() as tx:
        answer = await read.ask(world, tx)
    return (time.perf_counter() - began) * 1000, read.items(answer)


async def measure(small: World, large: World) -> dict[str, tuple[float, float]]:
    """Return the medians by read; every round asks every read of both."""
    taken: dict[str, tuple[list[float], list[float]]] = {read.name: ([], []) for read in READS}
    for number in range(WARM_UP + REPETITIONS):
        gc.collect()
        for read in READS:
            pair = (small, large) if number % 2 else (large, small)
            times = {id(world): await once(read, world) for world in pair}
            (little, few), (much, many) = times[id(small)], times[id(large)]
            assert few == many, f"{read.name}: {few} items of the small, {many} of the large"
            if number >= WARM_UP:
                taken[read.name][0].append(little)
                taken[read.name][1].append(much)
    return {
        name: (statistics.median(little), statistics.median(much))
        for name, (little, much) in taken.items()
    }


async def open_world(
    stack: AsyncExitStack, found: Engines, name: str, number: int, *, pool: int = 2
) -> Runtime:
    """Make a migrated database and a Redis database of its own."""
    await create_database(found.admin_database_url, name)
    owner_url = renamed(found.migration_database_url, name)
    await asyncio.to_thread(migrate, owner_url)
    settings = Settings(
        database_url=renamed(found.database_url, name),
        migration_database_url=owner_url,
        redis_url=re.sub(r"db=\d+", f"db={number}", found.redis_url),
        secret_key=SecretStr("a-secret-of-the-bench-with-more-than-32-bytes"),
        database_pool=pool,
    )
    return await stack.enter_async_context(open_runtime(settings))


async def fill(found: Engines, runtime: Runtime, name: str, size: Size) -> World:
    """Bring in the crowd."""
    began = time.perf_counter()
    owner_url = runtime.settings.migration_database_url
    assert owner_url is not None
    await asyncio.gather(
        gather(found.admin_database_url, name, owner_url, size), rank(runtime.redis, size.people)
    )
    async with runtime.database.read() as tx:
        nodes = {
            code: (await orgs.get_by_code(tx, code)).id for code in (CITY, DISTRICT, COMMUNITY)
        }
    out.print(f"{name}: {size}, ledger verified, {time.perf_counter() - began:.0f} s")
    return World(runtime, size, nodes)


async def run(found: Engines) -> int:
    """Make both worlds, measure, print the table; return the exit status."""
    async with AsyncExitStack() as stack:
        worlds = []
        for number, (name, size) in enumerate({"small": SMALL, "large": LARGE}.items()):
            runtime = await open_world(stack, found, name, number)
            worlds.append(await fill(found, runtime, name, size))
        medians = await measure(*worlds)
        lists = await staying.measure(await open_world(stack, found, "staying", 2))
    table = Table("read", "ms small", "ms large", "ratio", "allowed")
    for name, (little, much) in medians.items():
        ratio = much / little
        colour = "red" if ratio > ALLOWED else "green"
        table.add_row(
            name,
            f"{little:.2f}",
            f"{much:.2f}",
            f"[{colour}]{ratio:.2f}[/{colour}]",
            str(ALLOWED),
        )
    out.print(table)
    ratio = lists.stayed / lists.fresh
    before = staying.LIST * staying.GROWTH
    out.print(
        f"{staying.LIST} check-ins after {before} others: {lists.fresh:.2f} ms"
        f" on a fresh connection, {lists.stayed:.2f} ms on one that stayed: {ratio:.2f}"
    )
    return int(ratio > ALLOWED or any(much / little > ALLOWED for little, much in medians.values()))


def main() -> int:
    with scratch_engines() as (_, found):
        return asyncio.run(run(found))


if __name__ == "__main__":
    sys.exit(main())
