"""Reading leaderboards: the best of a subtree with masked names, the caller's own rank, neighbours.

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
from app.schemas.leaderboards import BoardPeriod, Measure
from app.services import orgs
from app.services.leaderboards import rendering
from app.services.leaderboards.rendering import Place, Shown
from app.services.leaderboards.rules import WHOLE_TREE, CountedUnits, board_name, born_until
from app.services.policies import history

# Computing a board from the ledger sums all its transfers: without Redis, a rank is known only
# within these places.
MAX_LEDGER_PLACES = 100
EACH_SIDE = 2  # neighbours above the caller, and below


@dataclass(frozen=True, slots=True)
class Board:
    """``limit`` places of an organisation and everything below it, in the current period.

    Without an organisation: of all of them.
    """

    org_id: UUID | None
    period: BoardPeriod
    limit: int
    measure: Measure = "points"


@dataclass(frozen=True, slots=True)
class BoardQuery:
    """One request: a board, and the rank on it of the caller, if there is one.

    ``around``: the caller's neighbours too.
    """

    board: Board
    caller: UUID | None
    around: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A board whose organisation exists, and its name in Redis."""

    org_path: str
    starts_at: datetime
    name: str


Caller = tuple[Board, UUID]


@dataclass(frozen=True, slots=True)
class _Standings:
    """The best of each board; of each caller the own place, with the neighbours if asked for.

    A caller who is not on the board has none.
    """

    tops: dict[Board, list[Place]]
    own: dict[Caller, Place]
    around: dict[Caller, list[Place]]


async def read(
    tx: Session, boards: Boards, asked: Sequence[BoardQuery]
) -> list[TaggedBody | Refusal]:
    """Return for each query a rendered ``LeaderboardOut`` or that of hours, or OrgNotFound.

    The number of statements does not depend on the number of queries, except without Redis, when
    each board is a statement. A board of several queries is rendered once, and each caller's
    part is added to it.
    """
    found = await _find(tx, {query.board for query in asked})
    callers = [query for query in asked if query.caller and query.board in found]
    try:
        standings = await _from_redis(boards, found, callers)
    except RedisDown:
        standings = await _from_ledger(tx, found, callers)
    shown = await _shown(tx, standings)
    shared = {
        board: rendering.shared(
            board.measure, board.period, found[board].starts_at, standings.tops[board], shown
        )
        for board in found
    }
    return [
        _reply(query, shared[query.board], standings, shown)
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
            name = board_name(path, board.period, starts_at, board.measure)
            found[board] = _Found(path, starts_at, name)
    return found


def _key(query: BoardQuery) -> Caller:
    assert query.caller is not None
    return query.board, query.caller


async def _from_redis(
    boards: Boards, found: dict[Board, _Found], callers: Sequence[BoardQuery]
) -> _Standings:
    """Read all boards and ranks in one round trip, and neighbours in one for each who asks.

    Raises RedisDown, also if no boards are shown: Redis has just started or was flushed.
    """
    generation = await boards.generation()
    if generation is None:
        raise RedisDown
    alone = sorted({_key(one) for one in callers if not one.around}, key=repr)
    tops, ranks = await boards.read(
        generation,
        [(one.name, board.limit) for board, one in found.items()],
        [(found[board].name, person) for board, person in alone],
    )
    own = {
        key: Place(rank[0], key[1], rank[1])
        for key, rank in zip(alone, ranks, strict=True)
        if rank is not None
    }
    around = {}
    for board, person in sorted({_key(one) for one in callers if one.around}, key=repr):
        near = await boards.around(generation, found[board].name, person, EACH_SIDE)
        places = around[board, person] = [Place(*one) for one in near]
        for place in places:
            if place.person == person:
                own[board, person] = place
    placed = [[Place(rank, *one) for rank, one in enumerate(top, start=1)] for top in tops]
    return _Standings(dict(zip(found, placed, strict=True)), own, around)


async def _from_ledger(
    tx: Session, found: dict[Board, _Found], callers: Sequence[BoardQuery]
) -> _Standings:
    """Compute each board; a caller below its first 100 places has no rank."""
    units = CountedUnits(await history.load(tx))
    tops: dict[Board, list[Place]] = {}
    for board, one in found.items():
        best = await queries.top(
            tx,
            one.org_path,
            one.starts_at,
            unit=units.measure(one.org_path, board.measure),
            born_until=born_until(),
            limit=MAX_LEDGER_PLACES,
        )
        tops[board] = [Place(rank, *each) for rank, each in enumerate(best, start=1)]
    own = {(board, place.person): place for board, places in tops.items() for place in places}
    around = {}
    for query in callers:
        if query.around and (mine := own.get(_key(query))):
            first = max(mine.rank - 1 - EACH_SIDE, 0)
            around[_key(query)] = tops[query.board][first : mine.rank + EACH_SIDE]
    return _Standings(
        tops={board: top[: board.limit] for board, top in tops.items()}, own=own, around=around
    )


async def _shown(tx: Session, standings: _Standings) -> Shown:
    places = [*standings.tops.values(), *standings.around.values()]
    everybody = sorted({place.person for some in places for place in some})
    return await queries.visible(tx, everybody, born_until())


def _reply(query: BoardQuery, shared: bytes, standings: _Standings, shown: Shown) -> TaggedBody:
    """Complete what the readers of a board share. The ETag is that of the whole body."""
    if query.caller is None:
        return TaggedBody.of(shared + rendering.nobody())
    key = _key(query)
    near = standings.around.get(key) if query.around else None
    return TaggedBody.of(
        shared + rendering.of_caller(query.board.measure, standings.own.get(key), near, shown)
    )
