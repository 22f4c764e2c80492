"""What the drill asks of a noun that was just added (see test_a_new_noun.py).

pytest does not collect this file by its name: it is run where the noun is.
"""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from app.main import create_app
from app.models.people import Role
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.security import nouns
from tests.security.schema_runs import Amount, run
from tests.security.schema_world import RESIDENT, make_world
from tests.security.test_schema import permitted

NOUN = "needs"
OPERATIONS = {"fileNeed", "listNeeds", "moveNeed", "exportNeedsCsv", "exportNeedsXlsx"}


def test_its_operations_are_in_the_document(app: FastAPI) -> None:
    paths = app.openapi()["paths"].values()
    named = {one["operationId"] for methods in paths for one in methods.values()}
    assert {one.operation for one in nouns.served(app) if one.noun == NOUN} == OPERATIONS
    assert named >= OPERATIONS


@pytest.mark.parametrize("role", [RESIDENT, Role.organizer])
async def test_its_operations_do_what_the_document_says(scratch: ScratchFactory, role: str) -> None:
    async with scratch() as app:
        runtime: Runtime = app.state.runtime
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            world = await make_world(runtime, api, role)
        attacked = create_app(runtime.settings)
        report = await asyncio.to_thread(
            run, attacked, world, [Amount(examples=9, scenarios=9)], sorted(OPERATIONS)
        )
    assert not report.findings, str(report)
    labels = {one.label for one in nouns.served(app) if one.operation in OPERATIONS}
    done = {operation for operation, status in report.answers if status < 300}
    assert done == permitted(app.openapi()["paths"], role) & labels
