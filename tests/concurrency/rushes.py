"""Rushes: many requests at once, and the facts that they leave behind.

Each returns plain facts. A test asserts what they must be; its negative control runs the
same rush with one guard taken out and asserts that they are not.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import cycle
from typing import Any, TypeVar
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from app.core.clock import now
from app.main import create_app
from app.models.activities import Activity
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.activities import current_code, make_activity, make_attended
from tests.factories.awards import give_award
from tests.factories.charges import make_careful_counter
from tests.factories.http import keyed
from tests.factories.ledger import balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_people, make_person, make_with_role
from tests.factories.rewards import make_card_codes, make_counter, make_reward

Facts = dict[str, Any]
T = TypeVar("T")
WORKERS, CONNECTIONS_EACH = 8, 4
CAP = {"person_day": 70}

rushing = False  # so that what a rush prepares is not held at a meeting


class Workers:
    """Several processes' worth of one application: requests go to each by turns.

    One process would join a rush into a few lists, one after the other: no race at all.
    """

    def __init__(self, clients: list[httpx.AsyncClient]) -> None:
        self._clients = cycle(clients)

    async def get(self, path: str) -> httpx.Response:
        return await next(self._clients).get(path)

    async def post(self, path: str, **request: Any) -> httpx.Response:
        return await next(self._clients).post(path, **request)

    async def delete(self, path: str, **request: Any) -> httpx.Response:
        return await next(self._clients).delete(path, **request)


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[tuple[Workers, Runtime]]:
    """Call the application, every connection of its workers' pools open: a rush must be one."""
    runtime: Runtime = app.state.runtime
    settings = runtime.settings.model_copy(update={"database_pool": CONNECTIONS_EACH})
    async with AsyncExitStack() as stack:
        workers = [create_app(settings) for _ in range(WORKERS)]
        for worker in workers:
            await stack.enter_async_context(worker.router.lifespan_context(worker))
        runtimes = [worker.state.runtime for worker in workers]
        await asyncio.gather(*map(_touch, runtimes * CONNECTIONS_EACH))
        clients = []
        for worker in workers:
            transport = httpx.ASGITransport(worker, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://test")
            clients.append(await stack.enter_async_context(client))
        yield Workers(clients), runtime


@asynccontextmanager
async def one_client_of(app: FastAPI) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """Call one process: enough where each request is a transaction of its own."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client, app.state.runtime


async def scans_by_one_person(app: FastAPI, number: int = 200) -> Facts:
    async with client_of(app) as (api, runtime):
        person = await make_person(runtime)
        activity = await make_attended(runtime, person, hours=2)
        body = {"code": current_code(runtime, activity)}
        replies = await at_once(
            api.post("/api/v1/checkins", headers=person.headers, json=body) for _ in range(number)
        )
        return {
            "statuses": statuses(replies),
            "replies": len({reply.text for reply in replies}),
            "checkins": await _count(runtime, "checkins", "person_id", person.id),
            "awards": await _count(runtime, "awards", "person_id", person.id),
            "points": await balance(runtime, person.id),
        }


async def people_for_places(app: FastAPI, people: int = 500, places: int = 50) -> Facts:
    async with client_of(app) as (api, runtime):
        activity = await make_activity(runtime, capacity=places)
        crowd = await make_people(runtime, people)
        replies = await at_once(
            api.post(f"/api/v1/activities/{activity.id}/signups", headers=one.headers, json={})
            for one in crowd
        )
        signups = [reply.json() for reply in replies if reply.status_code == 201]
        waiting = [one["position"] for one in signups if one["status"] == "waitlisted"]
        after = (await api.get(f"/api/v1/activities/{activity.id}")).json()
        return {
            "statuses": statuses(replies),
            "confirmed": sum(one["status"] == "confirmed" for one in signups),
            "queue": sorted(waiting) == list(range(1, people - places + 1)),
            "counters": (after["signups_confirmed"], after["signups_waitlisted"]),
        }


async def waves_for_places(app: FastAPI, people: int, places: int, wave: int) -> Facts:
    """Let people rush in waves: all of a wave at once, each wave once the one before has replies.

    Within a wave the order is nobody's; no later wave overtakes. ``places``: at most a wave.
    """
    async with client_of(app) as (api, runtime):
        activity = await make_activity(runtime, capacity=places)
        path, replies, in_order, last = f"/api/v1/activities/{activity.id}/signups", [], True, 0
        for number in range(people // wave):
            crowd = await make_people(runtime, wave)
            came = await at_once(api.post(path, headers=one.headers, json={}) for one in crowd)
            replies += came
            waits = [one.json().get("position") for one in came]
            numbers = sorted(one for one in waits if one is not None)
            seated = places if number == 0 else 0
            in_order &= numbers == list(range(last + 1, last + 1 + wave - seated))
            last += wave - seated
        after = (await api.get(f"/api/v1/activities/{activity.id}")).json()
        return {
            "statuses": statuses(replies),
            "confirmed": sum(reply.json().get("status") == "confirmed" for reply in replies),
            "in_order": in_order,
            "stored": await _places(runtime, activity),
            "counters": (after["signups_confirmed"], after["signups_waitlisted"]),
        }


async def _places(runtime: Runtime, activity: Activity) -> tuple[int, bool]:
    """Return how many have a place in the table, and whether the queue numbers have no gap."""
    query = "SELECT status, queue_number FROM signups WHERE activity_id = :id ORDER BY queue_number"
    async with runtime.database.read() as tx:
        rows = await tx.fetch(query, {"id": activity.id})
    numbers = [row.queue_number for row in rows if row.status == "waitlisted"]
    gapless = numbers == list(range(1, len(numbers) + 1))
    return sum(row.status == "confirmed" for row in rows), gapless


async def charges_against_one_balance(app: FastAPI, number: int = 100, afford: int = 7) -> Facts:
    async with client_of(app) as (api, runtime):
        person = await make_person(runtime)
        counter = await make_counter(runtime)
        await give_points(runtime, person.id, afford * 10 + 19)
        first, *codes = await make_card_codes(runtime, person, number + 1)
        # Opens the takings account: opening it in the rush would be a lock too.
        await api.post(
            "/api/v1/merchant/charges",
            headers=keyed(counter.staff),
            json={"card_code": first, "points": 10, "note": ""},
        )
        replies = await at_once(
            api.post(
                "/api/v1/merchant/charges",
                headers=keyed(counter.staff),
                json={"card_code": code, "points": 10, "note": "咖啡"},
            )
            for code in codes
        )
        return {"outcomes": outcomes(replies), "left": await balance(runtime, person.id)}


async def charges_against_a_daily_cap(app: FastAPI, number: int = 40) -> Facts:
    """A person with points for all of them, whom the policy lets pay 70 a day."""
    async with client_of(app) as (api, runtime):
        person, counter = await make_person(runtime), await make_careful_counter(runtime, **CAP)
        await give_points(runtime, person.id, number * 10 + 10)
        first, *codes = await make_card_codes(runtime, person, number + 1)
        # Opens the takings account: opening it in the rush would be a lock too.
        path = "/api/v1/merchant/charges"
        body = {"points": 10, "note": ""}
        await api.post(path, headers=keyed(counter.staff), json=body | {"card_code": first})
        replies = await at_once(
            api.post(path, headers=keyed(counter.staff), json=body | {"card_code": code})
            for code in codes
        )
        return {"outcomes": outcomes(replies)}


async def one_key_at_once(app: FastAPI, number: int = 50) -> Facts:
    async with client_of(app) as (api, runtime):
        person = await make_person(runtime)
        await give_points(runtime, person.id, 1000)
        reward = await make_reward(runtime, await make_counter(runtime))
        headers = keyed(person)
        replies = await at_once(
            api.post("/api/v1/redemptions", headers=headers, json={"reward_id": str(reward.id)})
            for _ in range(number)
        )
        return {
            "statuses": statuses(replies),
            "replies": len({reply.text for reply in replies}),
            "redemptions": await _count(runtime, "redemptions", "person_id", person.id),
            "left": await balance(runtime, person.id),
        }


async def the_last_item(app: FastAPI, number: int = 20) -> Facts:
    async with client_of(app) as (api, runtime):
        reward = await make_reward(runtime, await make_counter(runtime), stock=1)
        crowd = await make_people(runtime, number)
        for one in crowd:
            await give_points(runtime, one.id, 10)
        replies = await at_once(
            api.post("/api/v1/redemptions", headers=keyed(one), json={"reward_id": str(reward.id)})
            for one in crowd
        )
        return {"outcomes": outcomes(replies)}


async def a_limit_of_one(app: FastAPI, number: int = 20) -> Facts:
    async with client_of(app) as (api, runtime):
        reward = await make_reward(
            runtime, await make_counter(runtime), limit_per_member=1, limit_period="year"
        )
        other = await make_reward(runtime, await make_counter(runtime))
        person = await make_person(runtime)
        await give_points(runtime, person.id, 1000)
        # Opens the held account: opening it in the rush would be a lock too.
        await api.post(
            "/api/v1/redemptions", headers=keyed(person), json={"reward_id": str(other.id)}
        )
        replies = await at_once(
            api.post(
                "/api/v1/redemptions", headers=keyed(person), json={"reward_id": str(reward.id)}
            )
            for _ in range(number)
        )
        return {"outcomes": outcomes(replies)}


async def activities_against_a_daily_cap(app: FastAPI, number: int = 12) -> Facts:
    """``activity_checkin`` gives 1 point, at most 2 a day."""
    async with client_of(app) as (api, runtime):
        person = await make_person(runtime)
        await give_points(runtime, person.id, 1)  # opening the account would be a lock too
        activities = [
            await make_attended(runtime, person, rule_key="activity_checkin") for _ in range(number)
        ]
        replies = await _check_in_everywhere(api, runtime, person, activities)
        return {
            "statuses": statuses(replies),
            "awarded": await _awarded(runtime, person.id),
            "points": await balance(runtime, person.id),
        }


async def _check_in_everywhere(
    api: Workers, runtime: Runtime, person: TestPerson, activities: Sequence[Activity]
) -> list[httpx.Response]:
    return await at_once(
        api.post(
            "/api/v1/checkins",
            headers=person.headers,
            json={"code": current_code(runtime, one)},
        )
        for one in activities
    )


async def activities_at_the_same_hours(app: FastAPI, number: int = 8) -> Facts:
    """``volunteer_hour`` gives 2 points an hour, and every activity is the same two hours."""
    async with client_of(app) as (api, runtime):
        person, org = await make_person(runtime), await make_org(runtime)
        # Opens the accounts: opening them in the rush would be a lock too.
        await give_award(runtime, person, org, points=1, minutes=60, days_ago=1)
        starts = now() + timedelta(minutes=1)
        activities = [
            await make_attended(runtime, person, org=org, starts_at=starts) for _ in range(number)
        ]
        replies = await _check_in_everywhere(api, runtime, person, activities)
        awards = [reply.json()["award"] for reply in replies if reply.status_code == 201]
        return {
            "statuses": statuses(replies),
            "minutes": sum(award["minutes"] for award in awards),
            "points": sum(award["points"] for award in awards),
        }


async def refunds_of_one_charge(app: FastAPI, number: int = 12, **part: int) -> Facts:
    async with client_of(app) as (api, runtime):
        person = await make_person(runtime)
        counter = await make_counter(runtime)
        await give_points(runtime, person.id, 100)
        # Other takings, so that the merchant could pay a refund twice.
        charges = []
        for code in await make_card_codes(runtime, person, 3):
            reply = await api.post(
                "/api/v1/merchant/charges",
                headers=keyed(counter.staff),
                json={"card_code": code, "points": 30, "note": ""},
            )
            charges.append(reply.json()["id"])
        replies = await at_once(
            api.post(
                f"/api/v1/merchant/charges/{charges[0]}/refund",
                headers=keyed(counter.staff),
                json={"reason": "做错了", **part},
            )
            for _ in range(number)
        )
        return {"outcomes": outcomes(replies), "left": await balance(runtime, person.id)}


async def reversals_of_one_award(app: FastAPI, number: int = 12) -> Facts:
    async with client_of(app) as (api, runtime):
        person = await make_person(runtime)
        org = await make_org(runtime)
        administrator = await make_with_role(runtime, Role.administrator, org=org.id)
        activity = await make_attended(runtime, person, org=org, rule_key="activity_checkin")
        scan = await api.post(
            "/api/v1/checkins",
            headers=person.headers,
            json={"code": current_code(runtime, activity)},
        )
        await give_points(runtime, person.id, 100)
        award = scan.json()["award"]["id"]
        replies = await at_once(
            api.post(
                f"/api/v1/ledger/transfers/{award}/reversal",
                headers=keyed(administrator),
                json={"reason": "登记错误"},
            )
            for _ in range(number)
        )
        return {"outcomes": outcomes(replies), "left": await balance(runtime, person.id)}


async def _touch(runtime: Runtime) -> None:
    async with runtime.database.transaction() as tx:
        await tx.execute(text("SELECT pg_sleep(0.05)"))


async def at_once(works: Iterable[Awaitable[T]]) -> list[T]:
    """Begin everything together; a meeting holds nobody before or after."""
    global rushing  # noqa: PLW0603 - a rush has the process to itself
    rushing = True
    try:
        return list(await asyncio.gather(*works))
    finally:
        rushing = False


def statuses(replies: list[httpx.Response]) -> dict[int, int]:
    return dict(Counter(reply.status_code for reply in replies))


def outcomes(replies: list[httpx.Response]) -> dict[str, int]:
    """Count replies by status, refusals by their code."""
    return dict(Counter(str(r.json().get("code", r.status_code)) for r in replies))


async def _count(runtime: Runtime, table: str, column: str, value: object) -> int:
    async with runtime.database.read() as tx:
        query = text(f"SELECT count(*) FROM {table} WHERE {column} = :value")  # noqa: S608
        return int((await tx.execute(query, {"value": value})).scalar_one())


async def _awarded(runtime: Runtime, person: UUID) -> int:
    async with runtime.database.read() as tx:
        query = text("SELECT sum(points) FROM awards WHERE person_id = :person")
        return int((await tx.execute(query, {"person": person})).scalar_one())
