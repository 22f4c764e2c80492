"""Feeding the boards in Redis from the ledger, in commit order (docs/decisions/0006).

The ledger is the truth: a board can be lost at any time and is built again.
"""

from datetime import date

from app.core.clock import local_date, period_start
from app.core.db import Database
from app.integrations.leaderboards import Boards, Gains, new_generation
from app.queries import leaderboards as queries
from app.queries.leaderboards import Gain
from app.services.leaderboards.rules import (
    PERIODS,
    WHOLE_TREE,
    CountedUnits,
    board_name,
    born_until,
)
from app.services.ledger.types import MINUTES
from app.services.policies import history

# Transfers in one atomic step. Each may count on 20 boards (4 levels and the whole tree, 4
# periods). Redis answers nobody else meanwhile, and 32,000 scores took it longer than the
# breaker's 100 ms.
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
                tx, before, hours=MINUTES, born_until=born_until(), limit=BATCH
            )
            units = CountedUnits(await history.load(tx))
        if after == before:
            return counted
        if await boards.apply(generation, before, after, scores(gains, units)):
            counted += len(gains)


def scores(gains: list[Gain], units: CountedUnits) -> Gains:
    """Sum gains by boards and person id: all organisations above, every period.

    The boards' names are made once for an organisation, a unit and a day: a crowd's gains have
    these in common.
    """
    boards: dict[tuple[str, int, date], tuple[str, ...]] = {}
    summed: dict[tuple[str, ...], dict[str, int]] = {}
    for gain in gains:
        key = (gain.org_path, gain.unit_id, local_date(gain.earned_at))
        if key not in boards:
            boards[key] = _boards(gain, units)
        people, person = summed.setdefault(boards[key], {}), str(gain.person_id)
        people[person] = people.get(person, 0) + gain.points
    return summed


def _boards(gain: Gain, units: CountedUnits) -> tuple[str, ...]:
    """Name the boards on which a gain counts.

    An organisation counts only gains in its own unit. A city above two programmes shows the
    points of its own programme: those of different programmes are not added up.
    """
    return tuple(
        board_name(path, period, period_start(gain.earned_at, period))
        for path in _ancestors(gain.org_path)
        if units.of(path) == gain.unit_id
        for period in PERIODS
    )


def _ancestors(path: str) -> list[str]:
    """Return the paths down to an organisation: ``/``, ``/31/``, ``/31/310101/``."""
    codes = path.strip("/").split("/")
    below = ["/" + "/".join(codes[: depth + 1]) + "/" for depth in range(len(codes))]
    return [WHOLE_TREE, *below]
