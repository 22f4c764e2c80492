"""Reading leaderboards: the best of a subtree with masked names, and the caller's own rank.

Boards are read from Redis. Where Redis is down or holds none, they are computed from the ledger.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.clock import now, period_start
from app.core.db import Session
from app.core.errors import Refusal
from app.core.etag import TaggedBody
from app.core.redis import RedisDown
from app.integrations.leaderboards import Boards
from app.queries import leaderboards as queries
from app.queries import orgs as org_queries
from app.schemas.leaderboards import BoardPeriod, LeaderboardOut, MyRankOut, RankOut
from app.services import orgs, people
from app.services.leaderboards.rules import WHOLE_TREE, CountedUnits, board_name, born_until
from app.services.policies import history

# Computing a board from the ledger sums all its transfers: without Redis, a rank is known only
# within these places.
MAX_LEDGER_PLACES = 100


@dataclass(frozen=True, slots=True)
class Board:
    """``limit`` places of an organisation and everything below it, in the current period.

    Without an organisation: of all of them.
    """

    org_id: UUID | None
    period: BoardPeriod
    limit: int


@dataclass(frozen=True, slots=True)
class BoardQuery:
    """One request: a board, and the rank on it of the caller, if there is one."""

    board: Board
    caller: UUID | None


@dataclass(frozen=True, slots=True)
class _Found:
    """A board whose organisation exists, and its name in Redis."""

    org_path: str
    starts_at: datetime
    name: str


Rank = tuple[int, int]  # the place, from 1; and the points
Top = list[tuple[UUID, int]]  # person and points, the best first


@dataclass(frozen=True, slots=True)
class _Standings:
    """``ranks`` has a board and a caller for each query with a caller; None: not on the board."""

    tops: dict[Board, Top]
    ranks: dict[tuple[Board, UUID], Rank | None]


async def read(
    tx: Session, boards: Boards, asked: Sequence[BoardQuery]
) -> list[TaggedBody | Refusal]:
    """Return for each query a rendered ``LeaderboardOut``, or OrgNotFound.

    The number of statements does not depend on the number of queries, except without Redis, when
    each board is a statement. A board of several queries is rendered once, and each caller's
    rank is added to it.
    """
    found = await _find(tx, {query.board for query in asked})
    callers = [
        (query.board, query.caller) for query in asked if query.caller and query.board in found
    ]
    try:
        standings = await _from_redis(boards, found, callers)
    except RedisDown:
        standings = await _from_ledger(tx, found, callers)
    shared = await _render_boards(tx, found, standings.tops)
    return [
        _with_rank(shared[query.board], _rank_of(query, standings))
        if query.board in found
        else orgs.OrgNotFound()
        for query in asked
    ]


async def _find(tx: Session, boards: Iterable[Board]) -> dict[Board, _Found]:
    """Look up the organisations; leave out the boards of those that do not exist."""
    boards, at = list(boards), now()
    ids = {board.org_id for board in boards if board.org_id is not None}
    paths = await org_queries.paths_of(tx, sorted(ids))
    found = {}
    for board in boards:
        path = WHOLE_TREE if board.org_id is None else paths.get(board.org_id)
        if path is not None:
            starts_at = period_start(at, board.period)
            found[board] = _Found(path, starts_at, board_name(path, board.period, starts_at))
    return found


# Who is where


async def _from_redis(
    boards: Boards, found: dict[Board, _Found], callers: Sequence[tuple[Board, UUID]]
) -> _Standings:
    """Read all boards and ranks in one round trip.

    Raises RedisDown, also if no boards are shown: Redis has just started or was flushed.
    """
    generation = await boards.generation()
    if generation is None:
        raise RedisDown
    tops, ranks = await boards.read(
        generation,
        [(one.name, board.limit) for board, one in found.items()],
        [(found[board].name, person) for board, person in callers],
    )
    return _Standings(dict(zip(found, tops, strict=True)), dict(zip(callers, ranks, strict=True)))


async def _from_ledger(
    tx: Session, found: dict[Board, _Found], callers: Sequence[tuple[Board, UUID]]
) -> _Standings:
    """Compute each board; a caller below its first 100 places has no rank."""
    units = CountedUnits(await history.load(tx))
    tops = {
        board: await queries.top(
            tx,
            one.org_path,
            one.starts_at,
            unit=units.of(one.org_path),
            born_until=born_until(),
            limit=MAX_LEDGER_PLACES,
        )
        for board, one in found.items()
    }
    ranks = {
        (board, person): (place, points)
        for board, top in tops.items()
        for place, (person, points) in enumerate(top, start=1)
    }
    return _Standings(
        tops={board: top[: board.limit] for board, top in tops.items()},
        ranks={key: ranks.get(key) for key in callers},
    )


def _rank_of(query: BoardQuery, standings: _Standings) -> Rank | None:
    return standings.ranks[(query.board, query.caller)] if query.caller else None


# What the replies say


async def _render_boards(
    tx: Session, found: dict[Board, _Found], tops: dict[Board, Top]
) -> dict[Board, bytes]:
    """Render what is the same for all readers of a board."""
    everybody = sorted({person for top in tops.values() for person, _ in top})
    shown = await queries.visible(tx, everybody, born_until())
    return {
        board: _without_rank(
            LeaderboardOut(
                period=board.period,
                starts_at=found[board].starts_at,
                items=_items(top, shown),
                me=None,
            )
        )
        for board, top in tops.items()
    }


def _items(top: Top, shown: dict[UUID, tuple[str, bool]]) -> list[RankOut]:
    """List the places. Who may not be shown keeps the place, and is left out."""
    items = []
    for rank, (person, points) in enumerate(top, start=1):
        if person in shown and points > 0:
            name, shows_name = shown[person]
            display_name = name if shows_name else people.masked(name)
            items.append(RankOut(rank=rank, display_name=display_name, points=points))
    return items


def _without_rank(board: LeaderboardOut) -> bytes:
    """Return the JSON of a board up to the value of ``me``, which is its last member."""
    whole = board.model_dump_json().encode()
    assert whole.endswith(b'"me":null}')
    return whole.removesuffix(b"null}")


def _with_rank(shared: bytes, rank: Rank | None) -> TaggedBody:
    """Complete what ``_without_rank`` returned. Its ETag is that of the whole body."""
    if rank is None:
        me = b"null"
    else:
        me = MyRankOut(rank=rank[0], points=rank[1]).model_dump_json().encode()
    return TaggedBody.of(shared + me + b"}")
