"""The examples of request bodies can be sent as they stand, on the demonstration data."""

from fastapi import FastAPI

from app.demo import seed, tour
from app.demo.means import Means
from app.demo.phone import Network
from app.jobs import seals
from app.jobs.outbox import relay
from app.runtime import Runtime
from tests.factories.http import in_process
from tests.factories.ledger import assert_ledger_verifies


async def test_every_step_of_the_tour_is_accepted(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    async with runtime.database.transaction() as tx:
        await seed.live(tx, Means.of(runtime.settings))
    await relay(runtime)
    await seals.seal(runtime)
    async with in_process(alone) as api:
        await tour.travel(Network(api))
    await assert_ledger_verifies(runtime)
