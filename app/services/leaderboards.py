"""Leaderboards: fed from the ledger in commit order, shown with masked names.

The ledger is the truth: a board can be lost at any time and is built again.
"""

from datetime import date, datetime
from typing import get_args
from uuid import UUID

from app.core.clock import local_date, now, period_start
from app.core.db import Database, Session
from app.core.redis import RedisDown
from app.integrations.leaderboards import Boards, new_generation
from app.queries import leaderboards as queries
from app.queries.leaderboards import Gain
from app.schemas.leaderboards import BoardPeriod, LeaderboardOut, MyRankOut, RankOut
from app.services import orgs, people
from app.services.ledger import POINTS

# Transfers in one atomic step. Each may count on 16 boards (4 levels, 4 periods); Redis
# answers nobody meanwhile, and 32,000 scores took it longer than the breaker's 100 ms.
BATCH = 250
PERIODS: tuple[BoardPeriod, ...] = get_args(BoardPeriod)
# Without Redis the ledger itself is asked, for no more places than this.
MAX_PLACES = 100


async def board(
    tx: Session, boards: Boards, caller: UUID | None, org_id: UUID, period: BoardPeriod, limit: int
) -> LeaderboardOut:
    """Return the best of an organisation's subtree, and the caller's own place.

    With Redis down or empty the board is computed from the ledger. Raises OrgNotFound.
    """
    org = await orgs.get(tx, org_id)
    starts_at = period_start(now(), period)
    try:
        generation = await boards.generation()
        if generation is None:
            raise RedisDown
        name = board_name(org.path, period, starts_at)
        places = await boards.top(generation, name, limit)
        mine = await boards.rank(generation, name, caller) if caller else None
    except RedisDown:
        places, mine = await _from_ledger(tx, caller, org.path, starts_at, limit)
    shown = await queries.visible(tx, [person for person, _ in places], _born_until())
    items = [
        RankOut(
            rank=rank,
            display_name=name if shows_name else people.masked(name),
            points=points,
        )
        for rank, (person, points) in enumerate(places, start=1)
        if person in shown and points > 0
        for name, shows_name in [shown[person]]
    ]
    me = MyRankOut(rank=mine[0], points=mine[1]) if mine else None
    return LeaderboardOut(period=period, starts_at=starts_at, items=items, me=me)


async def feed(database: Database, boards: Boards) -> int:
    """Bring the shown boards up to the ledger; return how many gains were counted.

    With no generation shown (first start, FLUSHALL) this builds one; if Redis goes down
    meanwhile, the next call goes on where this one stopped. Safe to run in several workers
    at once: the position decides who counts.
    """
    generation = await boards.generation()
    if generation is None:
        boards.unfinished = boards.unfinished or new_generation()
        return await _build(database, boards, boards.unfinished)
    boards.unfinished = None
    return await _catch_up(database, boards, generation)


async def rebuild(database: Database, boards: Boards) -> int:
    """Build every board anew beside the old ones, then switch."""
    return await _build(database, boards, new_generation())


async def _build(database: Database, boards: Boards, generation: str) -> int:
    total = await _catch_up(database, boards, generation)
    await boards.show(generation)
    return total


async def _catch_up(database: Database, boards: Boards, generation: str) -> int:
    total = 0
    while True:
        before = await boards.position(generation)
        async with database.read() as tx:
            gains, after = await queries.gains_after(
                tx, before, unit=POINTS, born_until=_born_until(), limit=BATCH
            )
        if after == before:
            return total
        if await boards.apply(generation, before, after, _scores(gains)):
            total += len(gains)


def _scores(gains: list[Gain]) -> dict[tuple[str, str], int]:
    """Spread each gain over the boards of every organisation above it, for every period."""
    scores: dict[tuple[str, str], int] = {}
    for gain in gains:
        for path in _ancestors(gain.org_path):
            for period in PERIODS:
                name = board_name(path, period, period_start(gain.earned_at, period))
                key = (name, str(gain.person_id))
                scores[key] = scores.get(key, 0) + gain.points
    return scores


def _ancestors(path: str) -> list[str]:
    """Return the paths from the root down: ``/31/``, ``/31/310101/`` and so on."""
    codes = path.strip("/").split("/")
    return ["/" + "/".join(codes[: depth + 1]) + "/" for depth in range(len(codes))]


def board_name(org_path: str, period: BoardPeriod, starts_at: datetime) -> str:
    return f"{org_path}:{period}:{local_date(starts_at).isoformat()}"


async def _from_ledger(
    tx: Session, caller: UUID | None, org_path: str, since: datetime, limit: int
) -> tuple[list[tuple[UUID, int]], tuple[int, int] | None]:
    places = await queries.top(
        tx, org_path, since, unit=POINTS, born_until=_born_until(), limit=MAX_PLACES
    )
    ranks = {person: (rank, points) for rank, (person, points) in enumerate(places, start=1)}
    return places[:limit], ranks.get(caller) if caller else None


def _born_until() -> date:
    """Return the latest birth date of somebody who may appear today (14 years old)."""
    today = local_date(now())
    # Who is born on 29 February comes of age on 1 March, as the law counts.
    year = today.year - people.LEADERBOARD_MIN_AGE
    leap_day = (today.month, today.day) == (2, 29)
    return date(year, 2, 28) if leap_day else today.replace(year=year)
