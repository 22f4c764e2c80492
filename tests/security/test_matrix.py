"""Every operation × everybody: who gets what when they reach for something of Alice's.

The lines stand with the tests of each noun; how to read them is told in nouns.py.
"""

from contextlib import AbstractAsyncContextManager
from functools import lru_cache

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlmodel import select

from app.api.access import ANYONE, allow
from app.api.exports import EXPORTED, name_of
from app.api.routes import Router
from app.core.db import Session
from app.models.audit import AuditEntry
from app.runtime import Runtime
from app.services import idempotency
from tests.factories import pages
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import give_points
from tests.security import nouns, replays
from tests.security.nouns import EVERYBODY
from tests.security.world import Ask, Things, World, make_world, marks

ROWS, REQUESTS = nouns.rows(), nouns.requests()
# The documentation, and the sandbox, which production does not have: nothing of anybody's.
WITHOUT_A_LINE = {
    "GET /",
    "GET /docs",
    "GET /c/{code}",
    "GET /docs/codes",
    "GET /docs/start.js",
    "GET /openapi.json",
    "GET /swagger/favicon-32x32.png",
    "GET /swagger/swagger-ui-bundle.js",
    "GET /swagger/swagger-ui.css",
    "ANY /sandbox/wechat",
}
# Pages for people, which call what the lines are about: tests/web tries them.
WITHOUT_A_LINE |= pages.RULES.keys()

# Rules of those who decide about others: what they change leaves an entry in the audit trail.
DECIDERS = {"organizer", "administrator", "merchant staff", "merchant keeper"}
# A resident shows the code to be charged, or to take what is reserved. The charge and the
# redemption name the staff. Previews change nothing.
WITHOUT_AN_ENTRY = {
    *("charge", "collectRedemption", "previewCharge", "previewCollection", "previewOrgImport"),
    *("checkPolicy", "diffPolicy", "previewCourtesyClaims"),
}
NEW = {"If-Match": '"1"'}  # what a request reaches for has just been made


@lru_cache(maxsize=4)
def served(app: FastAPI) -> dict[str, tuple[str, str]]:
    """Return method and path of all that is served, of what the document hides too."""
    found = {}
    for context in iter_route_contexts(app.routes):
        for method in context.methods or {"ANY"}:  # a mounted application names none
            name = getattr(context, "operation_id", None) or f"{method} {context.path}"
            found[name] = (method, str(context.path))
    return found


def unexpected(app: FastAPI) -> set[str]:
    """Return what is served without a line, and lines of what is not served."""
    return served(app).keys() ^ ({row.operation for row in ROWS.values()} | WITHOUT_A_LINE)


# A list and its files read the same things of the same world.
LISTS = {name_of(name, form): name for name in EXPORTED for form in ("csv", "xlsx")}


@pytest_asyncio.fixture
async def world(api: httpx.AsyncClient, runtime: Runtime) -> World:
    return await make_world(api, runtime)


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    """By list: the world in which the list, and its files, are read."""
    return {}


@pytest_asyncio.fixture
async def of_row(
    api: httpx.AsyncClient, runtime: Runtime, worlds: dict[str, World], name: str
) -> World:
    """The world of a row: one of its own, unless it is a list or a file of one."""
    read = LISTS.get(name, name)
    world = worlds.get(read) or await make_world(api, runtime)
    if read in EXPORTED:
        worlds[read] = world
    return world


def test_every_operation_has_a_line(app: FastAPI) -> None:
    assert unexpected(app) == set()


def test_a_new_route_without_a_line_would_be_found() -> None:
    router = Router()

    @router.get("/new", operation_id="readSomethingNew", **allow(ANYONE))
    async def read_something_new() -> None: ...

    @router.get("/hidden", include_in_schema=False, **allow(ANYONE))
    async def read_something_hidden() -> None: ...

    grown = FastAPI()
    grown.include_router(router)
    grown.mount("/mounted", FastAPI())

    assert {"readSomethingNew", "GET /api/v1/hidden", "ANY /mounted"} <= unexpected(grown)


# Nothing is looked up: the page is the same for right and wrong codes.
SAME_FOR_ANY_TEXT = {"GET /c/{code}"}


def test_what_an_operation_asks_for_is_in_its_path(app: FastAPI) -> None:
    """An operation on a thing that asked for nothing would be tried with nobody's things."""
    asked = REQUESTS.keys() | SAME_FOR_ANY_TEXT | pages.RULES.keys()
    for name, (_, path) in served(app).items():
        assert ("{" not in path) or name in asked, name


def test_every_decision_succeeds_for_somebody(app: FastAPI) -> None:
    """Else ``test_row`` would not look for its entry in the audit trail."""
    decisions = {
        row.operation
        for row in ROWS.values()
        if row.rule in DECIDERS and served(app)[row.operation][0] != "GET"
    }
    succeed = {
        row.operation
        for row in ROWS.values()
        if any(cell.startswith("2") for cell in row.cells.values())
    }
    assert decisions >= {"approveAward", "publishActivity", "reverseTransfer"} | WITHOUT_AN_ENTRY
    assert decisions - succeed == set()


def test_every_write_with_a_key_succeeds_for_somebody() -> None:
    """Else ``test_row`` would not repeat it."""
    succeed = {
        row.operation
        for row in ROWS.values()
        if any(cell.startswith("2") for cell in row.cells.values())
    }
    assert replays.operations() >= {"redeem", "charge", "orderOnDay"}
    assert replays.operations() - succeed == set()


@pytest.fixture
def opened(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each transaction that may write: PostgreSQL refuses writes in all others."""
    found: list[str] = []
    open_one = runtime.database.transaction

    def noted() -> AbstractAsyncContextManager[Session]:
        found.append("a transaction")
        return open_one()

    monkeypatch.setattr(runtime.database, "transaction", noted)
    return found


async def test_a_transaction_that_may_write_is_noted(
    world: World, runtime: Runtime, opened: list[str]
) -> None:
    before = await world.things()
    assert opened == []
    await give_points(runtime, world.alice.id, 1)
    assert opened == ["a transaction"]
    assert await world.things() != before


@pytest.mark.parametrize("name", ROWS)
async def test_row(app: FastAPI, of_row: World, opened: list[str], name: str) -> None:
    row, world = ROWS[name], of_row
    method, path = served(app)[row.operation]
    assert "{" not in path or name in REQUESTS, f"{name} takes an id: it needs a line in REQUESTS"
    ask: Ask | None = None
    found = {}
    unrepeated = method != "GET"
    before: Things = []
    for who in EVERYBODY:
        if ask is None:
            ask = await _made(world, name)
            before = await world.things()
        opened.clear()
        response = await _attempt(world, who, method, path, ask)
        after = await world.things() if opened else before
        changes = after != before and world.everybody[who] is not world.alice
        shown = "+" if changes or _shows(response, before, after) else ""
        found[who], before = f"{response.status_code}{shown}", after
        if response.status_code < 300 and method != "GET" and row.rule in DECIDERS:
            audited = await _is_audited(world, who, response)
            assert audited is (row.operation not in WITHOUT_AN_ENTRY), "an entry in the audit trail"
        if response.status_code < 300 and unrepeated:
            await _assert_repeatable(world, row.operation, response)
            unrepeated = False  # once is enough
        if response.status_code < 400:
            ask = None if method != "GET" else ask  # it may have been used up
        elif found[who] == row.cells[who]:
            assert_refused(response, response.status_code, row.codes[response.status_code])

    assert found == row.cells


async def _assert_repeatable(world: World, operation: str, response: httpx.Response) -> None:
    """A write whose reply is lost is sent again, with its key if it takes one."""
    if operation in replays.operations():
        assert await replays.differences(world, response) == []
    else:
        does_more = await replays.does_more(world, response)
        assert does_more is (operation in replays.MORE_EACH_TIME), "done again"


def _shows(response: httpx.Response, *things: Things) -> bool:
    return any(mark in response.text for some in things for mark in marks(some))


async def _made(world: World, name: str) -> Ask:
    return await REQUESTS[name](world) if name in REQUESTS else Ask()


async def _is_audited(world: World, who: str, response: httpx.Response) -> bool:
    """Tell whether a request left an entry in the audit trail that names its caller."""
    caller = world.everybody[who]
    assert caller is not None
    query = select(AuditEntry.id).where(
        AuditEntry.actor_id == caller.id,
        AuditEntry.request_id == response.headers["x-request-id"],
    )
    async with world.runtime.database.read() as tx:
        return (await tx.exec(query)).first() is not None


async def _attempt(world: World, who: str, method: str, path: str, ask: Ask) -> httpx.Response:
    """Send the request as one of them."""
    caller = world.everybody[who]
    return await world.api.request(
        method,
        path.format(**ask.ids),
        headers=NEW
        | (keyed(caller) if caller else {"Idempotency-Key": "nobodys-key"})
        | ask.headers,
        json=ask.body,
        files=ask.files,
        params=ask.query,
    )


@pytest.mark.parametrize("name", ["orderOnDay", "charge"])
async def test_a_key_that_is_forgotten_would_be_found(
    app: FastAPI, world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The control: without the stored replies an order is made twice, a code is used up."""
    method, path = served(app)[name]
    who = next(who for who, cell in ROWS[name].cells.items() if cell.startswith("2"))

    async def nothing(*_: object) -> dict[object, object]:
        return {}

    monkeypatch.setattr(idempotency, "_known", nothing)
    monkeypatch.setattr(idempotency, "_keep", nothing)
    monkeypatch.setattr(idempotency, "keep", nothing)
    response = await _attempt(world, who, method, path, await _made(world, name))
    assert response.status_code == 201
    assert {"body", "replayed"} <= {*await replays.differences(world, response)}
