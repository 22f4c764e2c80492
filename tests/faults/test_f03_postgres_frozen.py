"""F3: PostgreSQL is alive, connected and silent for ten seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import cycle

import pytest

from tests.faults.flaws import flawed
from tests.faults.load import Load
from tests.faults.measured import Measured
from tests.faults.stage import Stage, replied, stage
from tests.faults.victims import frozen

pytestmark = pytest.mark.faults

FROZEN_S = 10.0
OF_EACH_KIND = 400
ANSWERED_S = 3.0
NORMAL_S = 2.0
AFTER_S = 6.0


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


@dataclass(frozen=True)
class Freeze:
    """Moments of the monotonic clock, and what the phones met."""

    load: Load
    began: float
    ended: float

    @property
    def slowest(self) -> float:
        return max(one.seconds for one in self.load.attempts if one.ended >= self.began)

    @property
    def normal_after(self) -> float:
        """Seconds from the thaw to the last reply that was not what was asked for."""
        bad = [a.ended for a in self.load.attempts if a.ended >= self.ended and a.status >= 300]
        return max(bad, default=self.ended) - self.ended


async def freeze(one: Stage, load: Load, warm: int, seconds: float, after: float) -> Freeze:
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await replied(load, warm)
        with frozen(one.postgres()):
            began = time.monotonic()
            await asyncio.sleep(seconds)  # the fault itself
        ended = time.monotonic()
        await asyncio.sleep(after)
        load.stopped = True
    return Freeze(load, began, ended)


async def test_everybody_is_answered_in_time(one: Stage, measured: Measured) -> None:
    asks = await one.mixture(OF_EACH_KIND)
    load = one.load(cycle(asks))
    found = await freeze(one, load, 2 * len(asks), FROZEN_S, AFTER_S)
    during = load.between(found.began, found.ended)
    busy = [attempt for attempt in during if attempt.status == 503]
    later = load.between(found.ended + NORMAL_S, found.ended + AFTER_S)
    measured("F3", "answers while frozen, slowest", f"{len(during):,}, {found.slowest:.2f} s")
    measured("F3", "normal again after", f"{found.normal_after:.2f} s")
    assert busy, "nobody was told 503"
    assert all(attempt.says_when for attempt in busy)
    assert set(load.statuses) <= {200, 201, 503}, load.statuses
    assert found.slowest <= ANSWERED_S
    assert found.normal_after <= NORMAL_S
    assert later
    assert await one.ledger_differences() == []


async def test_control_without_time_outs_requests_hang(one: Stage, measured: Measured) -> None:
    asks = await one.reads(50)
    with flawed(one.service, "without_time_outs") as patient:
        load = Load(patient.port, cycle(asks), connections=4)
        found = await freeze(one, load, 20, ANSWERED_S + 2, after=1.0)
    measured("F3", "control: slowest without time-outs", f"{found.slowest:.2f} s")
    assert found.slowest > ANSWERED_S
