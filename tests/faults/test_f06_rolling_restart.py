"""F6: the workers are replaced one after the other while people use them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from itertools import cycle
from random import Random

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
# As many as are sent while the workers are replaced: each check-in is a new one.
SCANS, OF_EACH_KIND = 20_000, 500
# The first try and one more, both without a reply.
BREAKS = 2
# Connections are renewed, so that new workers get their share of them.
RENEW = 20
# A worker that ends in order breaks fewer connections than one that is killed, by this factor.
GENTLER = 3
WORKER_START_S = 60


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


@pytest.mark.parametrize("how", ["SIGTERM to each worker", "SIGHUP to the server"])
async def test_a_rolling_restart_costs_nobody_anything(
    one: Stage, measured: Measured, how: str
) -> None:
    scans = await one.checkins(SCANS)
    asks = scans + await one.mixture(OF_EACH_KIND)
    Random(len(asks)).shuffle(asks)
    load = one.load(cycle(asks), breaks=BREAKS, renew=RENEW)
    replace = partial(end_each, signal.SIGTERM) if how.startswith("SIGTERM") else hang_up
    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        for _ in range(ROUNDS):
            await replied(load, len(load.kept) + 200)
            await asyncio.to_thread(replace, one.service)
        await replied(load, len(load.kept) + 200)
        broken = load.statuses[BROKEN] / (ROUNDS * WORKERS)
        # The negative control, under the same load: what it breaks not to be asked to end.
        await asyncio.to_thread(end_each, signal.SIGKILL, one.service)
        await replied(load, len(load.kept) + 200)
        killed = load.statuses[BROKEN] / WORKERS - broken * ROUNDS
        load.stopped = True
    first = dict(reversed(load.good))
    lost = await one.lost_checkins([(ask, first[ask]) for ask in scans if ask in first])
    measured("F6", f"{how}: workers replaced", ROUNDS * WORKERS)
    measured("F6", f"{how}: replies, first ones", f"{len(load.good):,}, {len(first):,}")
    measured("F6", f"{how}: retried once a worker, control: killed", f"{broken:.1f}, {killed:.1f}")
    measured("F6", f"{how}: lost, failed twice", f"{lost}, {len(load.given_up)}")
    assert (lost, load.given_up) == (0, [])
    assert set(load.statuses) <= {200, 201, 503, BROKEN}, load.statuses
    assert broken * GENTLER < killed
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


def end_each(by: signal.Signals, service: Service) -> None:
    """A signal to one worker, and on to the next when its successor serves."""
    for worker in service.workers():
        before = {each.pid for each in service.workers()}
        worker.send_signal(by)
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
