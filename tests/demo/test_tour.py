"""The examples of request bodies can be sent as they stand, on the demonstration data."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fastapi import FastAPI

from app.demo import seed, tour
from app.demo.means import Means
from app.demo.phone import Network
from app.jobs import flags, policy_simulations, seals, verifications, worker
from app.jobs.outbox import relay
from app.runtime import Runtime
from tests.factories.http import in_process
from tests.factories.ledger import assert_ledger_verifies


@asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[None]:
    """Run the jobs that the tour waits for, and that which finds flags."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for job in (*policy_simulations.JOBS, *verifications.JOBS, *flags.JOBS):
            group.create_task(worker._loop(runtime, replace(job, every=0.2), stop))
        try:
            yield
        finally:
            stop.set()


@pytest.mark.long
async def test_every_step_of_the_tour_is_accepted(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    async with runtime.database.transaction() as tx:
        await seed.live(tx, Means.of(runtime.settings))
    await relay(runtime)
    await seals.seal(runtime)
    async with in_process(alone) as api, working(runtime):
        await tour.travel(Network(api))
    await assert_ledger_verifies(runtime)
