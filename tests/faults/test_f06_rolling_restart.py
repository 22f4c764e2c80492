"""F6: the workers are replaced one after the other while people use them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import cycle

import pytest

from bench.service import WORKERS, Service
from tests.faults.flaws import flawed
from tests.faults.load import BROKEN, Load
from tests.faults.measured import Measured
from tests.faults.stage import Stage, replied, stage
from tests.faults.victims import serving
from tests.faults.waiting import until

pytestmark = pytest.mark.faults

ROUNDS = 3
OF_EACH_KIND = 500
# The first try and one more, both without a reply.
BREAKS = 2
# Connections are renewed, so that new workers get their share of them.
RENEW = 20
WORKER_START_S = 60


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


@pytest.mark.parametrize("how", ["SIGTERM to each worker", "SIGHUP to the server"])
async def test_a_rolling_restart_costs_nobody_anything(
    one: Stage, measured: Measured, how: str
) -> None:
    scans, others = await one.checkins(OF_EACH_KIND), await one.mixture(OF_EACH_KIND)
    load = one.load(cycle(scans + others), breaks=BREAKS, renew=RENEW)
    replace = terminate_each if how.startswith("SIGTERM") else hang_up
    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        for _ in range(ROUNDS):
            await replied(load, len(load.kept) + 200)
            await asyncio.to_thread(replace, one.service)
        await replied(load, len(load.kept) + 200)
        load.stopped = True
    first = dict(reversed(load.good))
    lost = await one.lost_checkins([(ask, first[ask]) for ask in scans if ask in first])
    measured("F6", f"{how}: workers replaced", ROUNDS * WORKERS)
    measured("F6", f"{how}: replies, retried once", f"{len(load.good):,}, {load.statuses[BROKEN]}")
    measured("F6", f"{how}: lost, failed twice", f"{lost}, {len(load.given_up)}")
    assert (lost, load.given_up) == (0, [])
    assert set(load.statuses) <= {200, 201, 503, BROKEN}, load.statuses
    assert await one.ledger_differences() == []


async def test_control_a_restart_of_everything_at_once_fails_people(
    one: Stage, measured: Measured
) -> None:
    asks = await one.reads(200)
    with flawed(one.service, "unchanged", workers=WORKERS) as other:
        load = Load(other.port, cycle(asks), connections=16, breaks=BREAKS)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await replied(load, 50)
            other.process.terminate()
            await asyncio.to_thread(until, lambda: len(load.given_up) > 0, 30)
            load.stopped = True
    measured("F6", "control, all at once: failed twice", len(load.given_up))
    assert load.given_up


def terminate_each(service: Service) -> None:
    """SIGTERM to one worker, and on to the next when its successor serves."""
    for worker in service.workers():
        before = {each.pid for each in service.workers()}
        worker.terminate()
        _renewed(service, before, 1)


def hang_up(service: Service) -> None:
    """SIGHUP: the server itself starts a successor before it ends a worker."""
    before = {each.pid for each in service.workers()}
    os.kill(service.process.pid, signal.SIGHUP)
    _renewed(service, before, WORKERS)


def _renewed(service: Service, before: set[int], number: int) -> None:
    """Wait until so many new workers serve somebody, and no more than there should be live."""

    def done() -> bool:
        new = {each.pid for each in serving(service)} - before
        return len(new) == number and len(service.workers()) == WORKERS

    until(done, WORKER_START_S)
