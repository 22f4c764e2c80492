"""One request, one transaction, run again after a deadlock and committed before the reply."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import uuid4

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from sqlalchemy import text

from app.api.access import ANYONE, allow
from app.api.deps import Tx, _transaction
from app.api.routes import Router
from app.core import bulkhead
from app.core.db import Session
from app.core.db_errors import Retry
from app.main import create_app
from app.queries import outbox
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused
from tests.factories.people import make_person

DEADLOCK = "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$"
# Its award is checked at the commit and does not exist.
ORPHAN = text("""
INSERT INTO checkins (activity_id, session, person_id, method, checked_in_at, award_id)
VALUES (:activity, 0, :person, 'rotating_code', now(), gen_random_uuid())
""")
Late = Annotated[Session, Depends(_transaction)]  # FastAPI's default scope


class Note(BaseModel):
    topic: str
    failures: int = 0
    code: str = "40P01"


class Orphan(BaseModel):
    activity: str
    person: str


attempts: dict[str, int] = {}
router = Router(root="/test")


@router.post("/notes", status_code=201, **allow(ANYONE))
async def write_note(body: Note, tx: Tx) -> dict[str, int]:
    attempts[body.topic] = attempts.get(body.topic, 0) + 1
    await outbox.put(tx, body.topic, {"attempt": attempts[body.topic]})
    if attempts[body.topic] <= body.failures:
        await tx.execute(text(DEADLOCK.format(code=body.code)))
    return {"attempt": attempts[body.topic]}


@router.post("/retries", **allow(ANYONE))
async def raise_retry(body: Note, tx: Tx) -> None:
    attempts[body.topic] = attempts.get(body.topic, 0) + 1
    await outbox.put(tx, body.topic, {})
    raise Retry("40001")


@router.post("/orphans", status_code=201, **allow(ANYONE))
async def write_orphan(body: Orphan, tx: Tx) -> str:
    await tx.execute(ORPHAN, body.model_dump())
    return "promised"


@router.post("/late-orphans", status_code=201, **allow(ANYONE))
async def write_late_orphan(body: Orphan, tx: Late) -> str:
    await tx.execute(ORPHAN, body.model_dump())
    return "promised"


@router.get("/greetings", **allow(ANYONE))
async def greet(request: Request) -> str:
    return request.query_params.get("name", "nobody")


@pytest.fixture(scope="module")
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application with five routes more, included as the real ones are."""
    application = create_app(runtime.settings)
    application.router.routes.extend(router.routes)
    application.state.runtime = runtime
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/test") as found:
        yield found


async def written(runtime: Runtime, topic: str) -> list[Any]:
    async with runtime.database.read() as tx:
        rows = await tx.execute(text("SELECT payload FROM outbox WHERE topic = :t"), {"t": topic})
    found = [row.payload for row in rows]
    async with runtime.database.transaction() as tx:  # nobody has a handler for it
        await tx.execute(text("DELETE FROM outbox WHERE topic = :t"), {"t": topic})
    return found


@pytest.mark.parametrize("code", ["40P01", "40001"])
async def test_a_deadlock_is_tried_again_and_written_once(
    runtime: Runtime, client: httpx.AsyncClient, code: str
) -> None:
    topic = str(uuid4())
    response = await client.post("/notes", json={"topic": topic, "failures": 1, "code": code})
    assert (response.status_code, response.json()) == (201, {"attempt": 2})
    assert await written(runtime, topic) == [{"attempt": 2}], "the first attempt left nothing"


async def test_the_third_attempt_may_still_succeed(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    topic = str(uuid4())
    response = await client.post("/notes", json={"topic": topic, "failures": 2})
    assert response.json() == {"attempt": 3}
    assert await written(runtime, topic) == [{"attempt": 3}]


async def test_after_three_deadlocks_the_service_is_busy(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    topic = str(uuid4())
    response = await client.post("/notes", json={"topic": topic, "failures": 3})
    assert_refused(response, 503, "service.busy")
    assert response.headers["retry-after"] == "1"
    assert attempts[topic] == 3
    assert await written(runtime, topic) == []


async def test_a_handler_that_asks_for_a_retry_gets_three(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    topic = str(uuid4())
    assert_refused(await client.post("/retries", json={"topic": topic}), 503, "service.busy")
    assert attempts[topic] == 3
    assert await written(runtime, topic) == []


@pytest.fixture
def unclosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lost server, which is only played here, close nobody's bulkhead."""
    monkeypatch.setattr(bulkhead, "CLOSED_S", 0.0)


@pytest.mark.usefixtures("unclosed")
@pytest.mark.parametrize("code", ["55P03", "57014", "57P01", "53300"])
async def test_a_timeout_or_a_lost_server_is_not_tried_again(
    runtime: Runtime, client: httpx.AsyncClient, code: str
) -> None:
    topic = str(uuid4())
    response = await client.post("/notes", json={"topic": topic, "failures": 9, "code": code})
    assert_refused(response, 503, "service.busy")
    assert response.headers["retry-after"] == "1"
    assert attempts[topic] == 1
    assert await written(runtime, topic) == []


async def test_a_mistake_of_ours_is_a_500_that_says_nothing(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    topic = str(uuid4())
    response = await client.post("/notes", json={"topic": topic, "failures": 1, "code": "23505"})
    assert_refused(response, 500, "service.internal")
    assert topic not in response.text
    assert attempts[topic] == 1
    assert await written(runtime, topic) == []


async def orphan(runtime: Runtime) -> dict[str, str]:
    activity, person = await make_activity(runtime), await make_person(runtime)
    return {"activity": str(activity.id), "person": str(person.id)}


async def test_a_commit_that_fails_is_never_promised(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    response = await client.post("/orphans", json=await orphan(runtime))
    assert_refused(response, 500, "service.internal")


async def test_with_the_default_scope_it_would_be_promised(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    """The negative control: this is what ``scope="function"`` is for."""
    response = await client.post("/late-orphans", json=await orphan(runtime))
    assert (response.status_code, response.json()) == (201, "promised")


async def test_without_the_route_class_a_deadlock_would_reach_the_client(
    runtime: Runtime,
) -> None:
    """The negative control of the retries: FastAPI's own route class."""
    application = FastAPI()
    application.state.runtime = runtime
    application.post("/notes")(write_note)
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as plain:
        topic = str(uuid4())
        response = await plain.post("/notes", json={"topic": topic, "failures": 1})
    assert response.status_code == 500
    assert attempts[topic] == 1


async def test_who_has_the_body_already_is_told_so(client: httpx.AsyncClient) -> None:
    first = await client.get("/greetings?name=alice")
    assert first.headers["cache-control"] == "private, no-cache"
    etag = first.headers["etag"]
    again = await client.get("/greetings?name=alice", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert "content-type" not in again.headers
    weak = await client.get("/greetings?name=alice", headers={"If-None-Match": f'"x", W/{etag}'})
    assert weak.status_code == 304
    anything = await client.get("/greetings?name=alice", headers={"If-None-Match": "*"})
    assert anything.status_code == 304
    other = await client.get("/greetings?name=bob", headers={"If-None-Match": etag})
    assert (other.status_code, other.json()) == (200, "bob")


@pytest.mark.parametrize("path", ["/test/greetings", "/api/v1/orgs", "/api/v1/activities"])
async def test_what_may_hold_words_varies_with_the_language(
    client: httpx.AsyncClient, path: str
) -> None:
    url = f"http://test{path}"
    first = await client.get(url)
    again = await client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    assert [one.headers.get_list("vary") for one in (first, again)] == [["Accept-Language"]] * 2


async def test_a_write_carries_no_etag(client: httpx.AsyncClient, runtime: Runtime) -> None:
    topic = str(uuid4())
    response = await client.post("/notes", json={"topic": topic})
    assert "etag" not in response.headers
    await written(runtime, topic)
