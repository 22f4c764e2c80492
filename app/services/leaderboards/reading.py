"""Leaderboards: fed from the ledger in commit order, shown with masked names.

The ledger is the truth: a board can be lost at any time and is built again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import get_args
from uuid import UUID

from app.core.clock import local_date, now, period_start
from app.core.db import Database, Session
from app.core.errors import Refusal
from app.core.redis import RedisDown
from app.core.rendered import Rendered
from app.integrations.leaderboards import Boards, new_generation
from app.queries import leaderboards as queries
from app.queries import orgs as org_queries
from app.queries.leaderboards import Gain
from app.schemas.leaderboards import BoardPeriod, LeaderboardOut, MyRankOut, RankOut
from app.services import orgs, people, policies
from app.services.ledger import MINUTES
from app.services.policies import PolicyMissing
from app.services.policies.books import Book

# Transfers in one atomic step. Each may count on 16 boards (4 levels, 4 periods); Redis
# answers nobody meanwhile, and 32,000 scores took it longer than the breaker's 100 ms.
BATCH = 100
PERIODS: tuple[BoardPeriod, ...] = get_args(BoardPeriod)
# Without Redis the ledger itself is asked, for no more places than this.
MAX_PLACES = 100


@dataclass(frozen=True, slots=True)
class Board:
    org_id: UUID
    period: BoardPeriod
    limit: int


@dataclass(frozen=True, slots=True)
class Look:
    """A question: who leads, and where is the caller. Nobody may ask it too."""

    board: Board
    caller: UUID | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A board that exists, and the name under which it is kept."""

    path: str
    starts_at: datetime
    name: str


Places = list[tuple[UUID, int]]
Ranks = dict[tuple[Board, UUID], tuple[int, int] | None]


async def read(tx: Session, boards: Boards, looks: Sequence[Look]) -> list[Rendered | Refusal]:
    """Return a ``LeaderboardOut`` for each look: the best of a subtree, and the caller's place.

    With Redis down or empty the boards are computed from the ledger. Outcomes: Rendered,
    or OrgNotFound.
    """
    at = now()
    paths = await org_queries.paths_of(tx, sorted({look.board.org_id for look in looks}))
    asked = {
        board: _Asked(path, starts_at, board_name(path, board.period, starts_at))
        for board in {look.board for look in looks}
        if (path := paths.get(board.org_id))
        for starts_at in [period_start(at, board.period)]
    }
    callers = [(look.board, look.caller) for look in looks if look.caller and look.board in asked]
    try:
        places, ranks = await _from_redis(boards, asked, callers)
    except RedisDown:
        places, ranks = await _from_ledger(tx, asked, callers)
    everybody = sorted({person for top in places.values() for person, _ in top})
    shown = await queries.visible(tx, everybody, _born_until())
    common = {
        board: _without_me(board, asked[board], _items(top, shown)) for board, top in places.items()
    }
    return [
        _with_me(common[look.board], ranks.get((look.board, look.caller)) if look.caller else None)
        if look.board in asked
        else orgs.OrgNotFound()
        for look in looks
    ]


def _items(top: Places, shown: dict[UUID, tuple[str, bool]]) -> list[RankOut]:
    return [
        RankOut(
            rank=rank,
            display_name=name if shows_name else people.masked(name),
            points=points,
        )
        for rank, (person, points) in enumerate(top, start=1)
        if person in shown and points > 0
        for name, shows_name in [shown[person]]
    ]


def _without_me(board: Board, asked: _Asked, items: list[RankOut]) -> bytes:
    """Render what is the same for all who look at a board: a ``LeaderboardOut`` up to its end."""
    whole = LeaderboardOut(period=board.period, starts_at=asked.starts_at, items=items, me=None)
    return whole.model_dump_json().encode().removesuffix(b"null}")


def _with_me(common: bytes, mine: tuple[int, int] | None) -> Rendered:
    me = MyRankOut(rank=mine[0], points=mine[1]).model_dump_json().encode() if mine else b"null"
    return Rendered.of(common + me + b"}")


async def _from_redis(
    boards: Boards, asked: dict[Board, _Asked], callers: Sequence[tuple[Board, UUID]]
) -> tuple[dict[Board, Places], Ranks]:
    generation = await boards.generation()
    if generation is None:
        raise RedisDown
    places, ranks = await boards.look(
        generation,
        [(one.name, board.limit) for board, one in asked.items()],
        [(asked[board].name, person) for board, person in callers],
    )
    return dict(zip(asked, places, strict=True)), dict(zip(callers, ranks, strict=True))


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
                tx, before, hours=MINUTES, born_until=_born_until(), limit=BATCH
            )
            units = _Units(await policies.book(tx))
        if after == before:
            return total
        if await boards.apply(generation, before, after, _scores(gains, units)):
            total += len(gains)


class _Units:
    """In which points an organisation counts: those of the programme that it is in."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._at = now()
        self._known: dict[str, int | None] = {}

    def of(self, org_path: str) -> int | None:
        if org_path not in self._known:
            try:
                self._known[org_path] = self._book.policy(self._at, org_path).unit_id
            except PolicyMissing:
                self._known[org_path] = None
        return self._known[org_path]


def _scores(gains: list[Gain], units: _Units) -> dict[tuple[str, str], int]:
    """Spread each gain over the boards of every organisation above it, for every period.

    A city above two programmes shows its own: their points are not to be added up.
    """
    scores: dict[tuple[str, str], int] = {}
    for gain in gains:
        for path in _ancestors(gain.org_path):
            if units.of(path) != gain.unit_id:
                continue
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
    tx: Session, asked: dict[Board, _Asked], callers: Sequence[tuple[Board, UUID]]
) -> tuple[dict[Board, Places], Ranks]:
    places: dict[Board, Places] = {}
    ranks: Ranks = {}
    units = _Units(await policies.book(tx))
    for board, one in asked.items():
        unit = units.of(one.path)
        since, until = one.starts_at, _born_until()
        top = await queries.top(tx, one.path, since, unit=unit, born_until=until, limit=MAX_PLACES)
        places[board] = top[: board.limit]
        for rank, (person, points) in enumerate(top, start=1):
            ranks[(board, person)] = (rank, points)
    return places, {key: ranks.get(key) for key in callers}


def _born_until() -> date:
    """Return the latest birth date of somebody who may appear today (14 years old)."""
    today = local_date(now())
    # Who is born on 29 February comes of age on 1 March, as the law counts.
    year = today.year - people.LEADERBOARD_MIN_AGE
    leap_day = (today.month, today.day) == (2, 29)
    return date(year, 2, 28) if leap_day else today.replace(year=year)
