"""Direct routes reply byte for byte as FastAPI does, and count and receive the same."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import pytest_asyncio
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.direct import DirectRoutes, plans_of
from app.api.middleware import RequestContext
from app.api.operations import additions_of
from app.api.routes import Route
from app.core.db_errors import Retry
from app.core.ratelimit import RateLimiter
from app.main import create_app, discovered_routers
from app.models.activities import Activity
from app.runtime import Runtime
from app.services.people import Forbidden
from tests.api.direct_requests import ORIGIN, Got, Operation, Sent, exchange, requests
from tests.factories.activities import current_code, make_activity, make_attended
from tests.factories.ledger import give_points
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.rewards import Counter, make_card_codes, make_counter, make_reward, reserve

T = TypeVar("T")
MARKED = {
    str(route.operation_id): route
    for router in discovered_routers()
    for route in router.routes
    if isinstance(route, Route) and additions_of(route.endpoint).direct
}
# Those that the bench measures: what a crowd does at once.
HOT = {
    *("checkIn", "signUp", "charge", "collectRedemption", "listMyPointEntries", "getActivity"),
    "getLeaderboard",
}
AT_COUNTERS = {"charge", "collectRedemption"}
EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True)
class World:
    """What a valid request finds."""

    person: TestPerson
    stranger: TestPerson
    counter: Counter
    organizer: TestPerson
    attended: Activity
    place: Activity
    card_code: str
    pickup_code: str
    key: str

    @classmethod
    async def made(cls, runtime: Runtime, place: Activity, counter: Counter) -> "World":
        person = await make_person(runtime)
        await give_points(runtime, person.id, 50, org=counter.merchant.org_id)
        (code,) = await make_card_codes(runtime, person, 1, timedelta(hours=1))
        reserved = await reserve(runtime, person.id, await make_reward(runtime, counter))
        attended = await make_attended(runtime, person)
        stranger = await make_person(runtime)
        organizer = await make_organizer(runtime, place.org_id)
        places, codes = (attended, place), (code, reserved.pickup_code)
        return cls(person, stranger, counter, organizer, *places, *codes, str(uuid4()))


@dataclass
class Ways:
    """The application with its direct routes, and the same one without, in one world.

    ``counted``: what was asked of the rate limiter.
    """

    runtime: Runtime
    direct: ASGIApp
    ordinary: ASGIApp
    world: World
    counted: list[tuple[Any, ...]]
    api: dict[str, Any]

    async def operation(self, name: str, world: World | None = None) -> Operation:
        world = world or self.world
        route = MARKED[name]
        method = min(route.methods or ())
        callers = [world.person, world.stranger]
        if name in AT_COUNTERS:
            callers = [world.counter.staff, world.person]
        elif name == "getLiveView":
            callers = [world.organizer, world.person]
        known = {
            "activity_id": world.place.id,
            "session": 0,
            "friends": 0,
            "org_id": [world.counter.merchant.org_id, uuid4()],
            "code": current_code(self.runtime, world.attended),  # it lives for some seconds
            "card_code": world.card_code,
            "pickup_code": world.pickup_code,
            "points": 3,
            "note": "咖啡",
            "location": {
                "latitude": 32.2,
                "longitude": 119,
                "accuracy_m": 10,
                "coordinate_system": "gcj02",
            },
        }
        made = Operation(
            method,
            route.path,
            self.api["paths"][route.path][method.lower()],
            self.api["components"]["schemas"],
            known,
            tuple(one.headers["Authorization"].split()[1] for one in callers),
            (world.key,),
        )
        if method != "GET":
            return made
        got = await exchange(self.ordinary, made.valid())
        return replace(made, etag=dict(got.headers)[b"etag"].decode())

    async def ask(self, app: ASGIApp, sent: Sent) -> tuple[Got, list[tuple[Any, ...]]]:
        self.counted.clear()
        got = await exchange(app, sent)
        return got, [*self.counted]


def without_direct_routes(app: FastAPI, hosts: list[str]) -> ASGIApp:
    app.middleware_stack = RequestContext(FastAPI.build_middleware_stack(app), hosts, [ORIGIN])
    return app


def spied(ask: Callable[..., Any], note: Callable[[tuple[Any, ...]], None]) -> Callable[..., Any]:
    def asked(*given: Any, **more: Any) -> Any:
        note((ask.__name__, *given, *more.values()))
        return ask(*given, **more)

    return asked


@pytest_asyncio.fixture(scope="module")
async def ways(app: FastAPI, runtime: Runtime) -> AsyncIterator[Ways]:
    given = runtime.settings.model_copy(
        update={"web_origins": (ORIGIN,), "allowed_hosts": ["test"]}
    )
    direct, other = create_app(given), create_app(given)
    direct.state.runtime = other.state.runtime = runtime
    counted: list[tuple[Any, ...]] = []
    world = await World.made(runtime, await make_activity(runtime), await make_counter(runtime))
    with pytest.MonkeyPatch.context() as patch:
        for ask in (RateLimiter.take, RateLimiter.check, RateLimiter.charge):
            bound = getattr(runtime.limiter, ask.__name__)
            patch.setattr(runtime.limiter, ask.__name__, spied(bound, counted.append))
        ordinary = without_direct_routes(other, given.allowed_hosts)
        yield Ways(runtime, direct, ordinary, world, counted, app.openapi())


@pytest.mark.parametrize("name", sorted(MARKED))
async def test_both_ways_give_the_same_reply(ways: Ways, name: str) -> None:
    await compare_ways(ways, name, EXAMPLES)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(MARKED))
async def test_both_ways_give_the_same_reply_to_many(ways: Ways, name: str) -> None:
    await compare_ways(ways, name, settings(EXAMPLES, max_examples=2_000))


async def compare_ways(ways: Ways, name: str, examples: settings) -> None:
    """Compare the replies to generated requests.

    A write was done once before, either way: so it has no effect any more. Hypothesis draws in a
    thread, because its tests are not coroutines.
    """
    loop = asyncio.get_running_loop()

    @examples
    @given(data=st.data(), first_is_direct=st.booleans())
    def compare(data: st.DataObject, *, first_is_direct: bool) -> None:
        sent = data.draw(requests(waited(ways.operation(name))))
        if sent.method not in {"GET", "HEAD"}:
            waited(exchange(ways.direct if first_is_direct else ways.ordinary, sent))
        assert waited(ways.ask(ways.direct, sent)) == waited(ways.ask(ways.ordinary, sent))

    def waited(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    await asyncio.to_thread(compare)


@pytest.mark.parametrize("name", ["charge", "checkIn"])
async def test_both_ways_refuse_keys_that_are_there_twice(ways: Ways, name: str) -> None:
    """The generated requests above have them by chance."""
    sent = (await ways.operation(name)).valid()
    (body,) = sent.chunks
    twice = replace(sent, chunks=(body[:-1] + b"," + body[1:],))
    direct = await ways.ask(ways.direct, twice)
    assert direct[0].status >= 400
    assert direct == await ways.ask(ways.ordinary, twice)


@pytest.mark.parametrize("name", ["checkIn", "signUp", "charge", "collectRedemption"])
async def test_both_ways_have_the_same_effect(ways: Ways, runtime: Runtime, name: str) -> None:
    """Of two people who differ in their ids alone, each goes one way."""
    place, counter = ways.world.place, ways.world.counter
    one, other = [await World.made(runtime, place, counter) for _ in range(2)]
    direct = await exchange(ways.direct, (await ways.operation(name, one)).valid())
    ordinary = await exchange(ways.ordinary, (await ways.operation(name, other)).valid())
    assert direct.status == (200 if name == "collectRedemption" else 201)
    assert without_ids(direct) == without_ids(ordinary)


def without_ids(got: Got) -> Got:
    body = re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"(id)", got.body)
    return replace(got, body=re.sub(rb"\d{4}-\d\d-\d\dT[0-9:.]+Z", b"(time)", body))


@pytest.mark.parametrize("error", [RuntimeError("x"), Retry("40001"), Forbidden()])
@pytest.mark.parametrize(
    ("name", "batcher"), [("charge", "charges"), ("getActivity", "activities")]
)
async def test_both_ways_fail_alike(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, name: str, batcher: str, error: Exception
) -> None:
    sent = (await ways.operation(name)).valid()
    attempts = []

    async def fail(*_: object) -> None:
        attempts.append(error)
        raise error

    monkeypatch.setattr(getattr(ways.runtime, batcher), "submit", fail)
    direct = await ways.ask(ways.direct, sent)
    tried = len(attempts)
    assert direct == await ways.ask(ways.ordinary, sent)
    assert direct[0].status >= 400
    assert len(attempts) == 2 * tried


@pytest.mark.parametrize("name", sorted(MARKED))
async def test_a_valid_request_is_answered_by_a_plan(ways: Ways, name: str) -> None:
    """Else the comparison would be of FastAPI with itself."""
    operation = await ways.operation(name)
    assert await passed_on(ways.runtime, operation.valid()) == []
    assert await passed_on(ways.runtime, operation.valid(method="PUT")) == ["PUT"]
    assert await passed_on(ways.runtime, operation.valid(), others=True) == [operation.method]


async def passed_on(runtime: Runtime, sent: Sent, *, others: bool = False) -> list[str]:
    """Return the methods of the requests that reach FastAPI; ``others``: with more middleware."""
    reached: list[str] = []

    async def ordinary(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["method"])
        await Response()(scope, receive, send)

    app = create_app(runtime.settings)
    app.state.runtime = runtime
    if others:
        app.add_middleware(BaseHTTPMiddleware)
    app.middleware_stack = RequestContext(DirectRoutes(app, ordinary), ["*"])
    await exchange(app, sent)
    return reached


def test_what_a_crowd_does_is_direct() -> None:
    assert MARKED.keys() >= HOT


def test_each_marked_route_has_a_plan(ways: Ways) -> None:
    planned = {
        plan.route.operation_id
        for plan in plans_of(create_app(ways.runtime.settings).router.routes)
    }
    assert planned == MARKED.keys()
