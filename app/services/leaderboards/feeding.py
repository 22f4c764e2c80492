"""Feeding the boards in Redis from the ledger, in commit order (docs/decisions/0006).

The ledger is the truth: a board can be lost at any time and is built again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.core.clock import local_date, period_start
from app.core.db import Database
from app.integrations.leaderboards import Boards, Gains, new_generation
from app.queries import leaderboards as queries
from app.queries.leaderboards import Gain, Node
from app.schemas.leaderboards import Measure
from app.services.leaderboards.rules import (
    PERIODS,
    WHOLE_TREE,
    CountedUnits,
    board_name,
    born_until,
    org_board_name,
)
from app.services.ledger.types import MINUTES
from app.services.policies import history

# Transfers in one atomic step. Each may count on 20 boards of people (4 levels and the whole tree,
# 4 periods) and, with those of its organisation, on 40 of organisations. Redis answers nobody else
# meanwhile, and 32,000 scores took it longer than the breaker's 100 ms.
BATCH = 100


async def feed(database: Database, boards: Boards) -> int:
    """Bring the shown boards up to the ledger; return how many gains were counted.

    Where no generation is shown (first start, FLUSHALL), one is built. If Redis goes down
    meanwhile, the next call continues that build. Several workers may feed at once: a step is
    applied only from the position at which it was read.
    """
    generation = await boards.generation()
    if generation is None:
        boards.unfinished = boards.unfinished or new_generation()
        return await _build(database, boards, boards.unfinished)
    boards.unfinished = None
    return await _catch_up(database, boards, generation)


async def rebuild(database: Database, boards: Boards) -> int:
    """Build every board anew beside the old ones, then switch; return the gains counted."""
    return await _build(database, boards, new_generation())


async def forget(boards: Boards, people: Sequence[UUID]) -> None:
    """Take erased people off all boards at once; the rebuild that follows sums what is left."""
    await boards.forget(people)


async def _build(database: Database, boards: Boards, generation: str) -> int:
    counted = await _catch_up(database, boards, generation)
    await boards.show(generation)
    return counted


async def _catch_up(database: Database, boards: Boards, generation: str) -> int:
    """Apply steps of at most ``BATCH`` transfers until the position is the end of the ledger."""
    counted = 0
    while True:
        before = await boards.position(generation)
        async with database.read() as tx:
            gains, after = await queries.gains_after(
                tx, before, born_until=born_until(), limit=BATCH
            )
            units = CountedUnits(await history.load(tx))
            paths = {path for gain in gains for path in _ancestors(gain.org_path)}
            nodes = await queries.nodes(tx, sorted(paths))
        if after == before:
            return counted
        if await boards.apply(generation, before, after, scores(gains, units, nodes)):
            counted += len(gains)


def scores(gains: list[Gain], units: CountedUnits, nodes: Mapping[str, Node]) -> Gains:
    """Sum gains by boards and member: a person, or on boards of organisations one of these.

    All organisations above count them, every period. ``nodes``: these organisations, by path. The
    boards' names are made once for an organisation, a unit and a day: a crowd's gains have these
    in common.
    """
    known: dict[tuple[str, int, date], _Counting] = {}
    summed: dict[tuple[str, ...], dict[str, int]] = {}

    def count(boards: tuple[str, ...], member: UUID, points: int) -> None:
        if not boards:
            return
        members = summed.setdefault(boards, {})
        members[str(member)] = members.get(str(member), 0) + points

    for gain in gains:
        key = (gain.org_path, gain.unit_id, local_date(gain.earned_at))
        if key not in known:
            known[key] = _counting(gain, units, nodes)
        count(known[key].people, gain.person_id, gain.points)
        for org_id, boards in known[key].orgs:
            count(boards, org_id, gain.points)
    return summed


@dataclass(frozen=True, slots=True)
class _Counting:
    """The boards of people on which a gain counts, and those of each organisation."""

    people: tuple[str, ...]
    orgs: list[tuple[UUID, tuple[str, ...]]]


def _counting(gain: Gain, units: CountedUnits, nodes: Mapping[str, Node]) -> _Counting:
    """Name the boards on which a gain counts.

    An organisation counts only gains in its own unit, and hours of service. A city above two
    programmes shows the points of its own programme: those of different programmes are not added
    up.
    """
    measure: Measure = "minutes" if gain.unit_id == MINUTES else "points"
    paths = _ancestors(gain.org_path)
    counted = [path for path in paths if units.measure(path, measure) == gain.unit_id]
    starts = [(period, period_start(gain.earned_at, period)) for period in PERIODS]
    return _Counting(
        people=tuple(
            board_name(path, period, start, measure) for path in counted for period, start in starts
        ),
        orgs=[
            (
                node.id,
                tuple(
                    org_board_name(above, node.level, period, start, measure)
                    for above in counted
                    if path.startswith(above) and path != above
                    for period, start in starts
                ),
            )
            for path in paths
            if (node := nodes.get(path)) is not None
        ],
    )


def _ancestors(path: str) -> list[str]:
    """Return the paths down to an organisation: ``/``, ``/31/``, ``/31/310101/``."""
    codes = path.strip("/").split("/")
    below = ["/" + "/".join(codes[: depth + 1]) + "/" for depth in range(len(codes))]
    return [WHOLE_TREE, *below]
