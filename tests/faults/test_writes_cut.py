"""A write is cut before each of its steps, and repeated, with its key if it takes one.

PostgreSQL ends the connection before a statement or the commit: the reply says when to come back,
and nothing has happened. The repetition does the work, and one more gets the same reply. Each
operation that takes a key is tried, and those of ``WITHOUT_A_KEY``, by what its noun's test module
asks for (``REQUESTS``).
"""

from collections.abc import AsyncIterator
from itertools import count

import httpx
import pytest
from fastapi import FastAPI

from app.core import bulkhead
from app.core.db import Session
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.factories.http import in_process, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.faults.flawed_worker import STATEMENTS, committed
from tests.jobs.knife import Knife, kill_the_connection
from tests.security import nouns, replays
from tests.security.test_matrix import NEW, served
from tests.security.world import Ask, World, make_world

pytestmark = pytest.mark.long
ROWS, REQUESTS = nouns.rows(), nouns.requests()
# Known by what they say: a sign-up, a check-in, what a device signed, an order that has ended.
WITHOUT_A_KEY = {
    *("signUp", "checkIn", "checkOut", "uploadHandovers"),
    *("cancelSignup", "cancelRedemption", "acceptPlace", "visitCheckpoint"),
}
# Of the lines of an operation the first with a success.
WRITES = {
    row.operation: name
    for name, row in reversed(ROWS.items())
    if row.operation in replays.operations() | WITHOUT_A_KEY
    and any(cell.startswith("2") for cell in row.cells.values())
}
FEWEST_STEPS = 2  # a statement and the commit


@pytest.fixture
async def broken(scratch: ScratchFactory) -> AsyncIterator[FastAPI]:
    async with scratch() as application:
        yield application


@pytest.fixture(autouse=True)
def _open_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After trouble with PostgreSQL a process does not try for a moment: here nobody waits."""
    monkeypatch.setattr(bulkhead, "CLOSED_S", 0.0)


class Write:
    """A request of somebody for whom it succeeds, always with the same key."""

    def __init__(self, app: FastAPI, world: World, name: str, ask: Ask) -> None:
        row = ROWS[name]
        self.who = next(who for who, cell in row.cells.items() if cell.startswith("2"))
        self.expected = int(row.cells[self.who][:3])
        self._method, path = served(app)[row.operation]
        self._path, self._ask, self._api = path.format(**ask.ids), ask, world.api
        caller = world.everybody[self.who]
        assert caller is not None
        self._headers = NEW | keyed(caller) | ask.headers
        self.replies: list[httpx.Response] = []

    async def send(self, _: Runtime) -> int:
        reply = await self._api.request(
            self._method,
            self._path,
            headers=self._headers,
            json=self._ask.body,
            files=self._ask.files,
            params=self._ask.query,
        )
        self.replies.append(reply)
        return reply.status_code


async def harm(app: FastAPI, world: World, knife: Knife, name: str) -> tuple[list[str], int]:
    """Cut a write before each of its steps in turn, then let it be done, and repeat it.

    Return what went wrong, by the step, and how many steps there were.
    """
    ask = await REQUESTS[name](world) if name in REQUESTS else Ask()
    write, before, harmed = Write(app, world, name, ask), await world.things(), []
    for step in count(1):
        cut = await knife.cut(write.send, world.runtime, step, kill_the_connection)
        reply = write.replies[-1]
        if not cut or reply.status_code < 500:
            break
        if reply.status_code != 503 or "retry-after" not in reply.headers:
            harmed.append(f"{step}: {reply.status_code}")
        if await world.things() != before:
            harmed.append(f"{step}: by halves")
            break
    if reply.status_code != write.expected:
        harmed.append(f"{step}: {reply.text}")
    operation = ROWS[name].operation
    if operation not in WITHOUT_A_KEY:
        harmed += await replays.differences(world, reply)
    elif await replays.does_more(world, reply) is not (operation in replays.MORE_EACH_TIME):
        harmed.append("done again")
    return harmed, step - 1


@pytest.mark.parametrize("operation", WRITES)
async def test_a_write_is_cut_anywhere_and_repeated(
    app: FastAPI,
    api: httpx.AsyncClient,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
) -> None:
    world, knife = await make_world(api, runtime), Knife(monkeypatch)
    harmed, steps = await harm(app, world, knife, WRITES[operation])
    assert harmed == []
    assert steps >= FEWEST_STEPS


async def test_the_ledger_verifies_afterwards(runtime: Runtime) -> None:
    await assert_ledger_verifies(runtime)


@pytest.mark.parametrize("operation", ["orderOnDay", "handOverGoods"])
async def test_control_without_transactions_a_write_is_harmed(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """The key is claimed by itself, and the repetition is told to wait for the first for ever."""
    runtime: Runtime = broken.state.runtime
    async with in_process(broken) as api:
        world, knife = await make_world(api, runtime), Knife(monkeypatch)
        for statement in STATEMENTS:
            monkeypatch.setattr(Session, statement, committed(getattr(Session, statement)))
        harmed, _ = await harm(broken, world, knife, WRITES[operation])
    assert harmed != []
