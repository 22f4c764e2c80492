"""Redemption days for tests: drafted, published, ordered, handed over, and moved in time."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from app.core.clock import now
from app.core.settings import Settings
from app.jobs import redemption_days as job
from app.jobs.expiry import expire_reservations
from app.models.merchants import MerchantKind
from app.models.orgs import Org
from app.models.rewards import Reward
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.http import keyed
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.rewards import Counter, make_card_codes, make_counter, make_reward

DAYS = "/api/v1/redemption-days"
HOUR = timedelta(hours=1)
COLUMNS = ("opens_at", "closes_at", "starts_at", "walk_ins_at", "ends_at")


@dataclass
class Day:
    """A published day: it can be ordered and collected now, and walk-ins begin in an hour."""

    api: httpx.AsyncClient
    runtime: Runtime
    org: Org
    organizer: TestPerson
    counter: Counter
    rewards: list[Reward]
    body: dict[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def path(self) -> str:
        return f"{DAYS}/{self.id}"

    def item(self, number: int = 0) -> str:
        """Return the id of the item of a reward."""
        wanted = str(self.rewards[number].id)
        return str(next(one["id"] for one in self.body["items"] if one["reward_id"] == wanted))

    async def order(
        self, person: TestPerson, number: int = 0, key: str | None = None, **body: Any
    ) -> httpx.Response:
        body = {"item_id": self.item(number)} | body
        return await self.api.post(f"{self.path}/orders", headers=keyed(person, key), json=body)

    async def ordered(self, person: TestPerson, number: int = 0, **body: Any) -> dict[str, Any]:
        reply = await self.order(person, number, **body)
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made

    async def act(self, person: TestPerson, act: str, **body: Any) -> httpx.Response:
        return await self.api.post(f"{self.path}/{act}", headers=keyed(person), json=body)

    async def hand_over(self, order: dict[str, Any], **body: Any) -> httpx.Response:
        code = {"pickup_code": order["pickup_code"]}
        return await self.act(self.counter.staff, "handovers", **code, **body)

    async def seen(self, person: TestPerson | None = None) -> dict[str, Any]:
        reply = await self.api.get(self.path, headers=person.headers if person else None)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def report(self) -> dict[str, Any]:
        reply = await self.api.get(f"{self.path}/report", headers=self.organizer.headers)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def close(self, *left: int) -> httpx.Response:
        """Close the day with what is left of each reward, by default what there should be."""
        expected = {one["item_id"]: one["expected"] for one in (await self.report())["items"]}
        counts = {self.item(number): count for number, count in enumerate(left)}
        body = [
            {"item_id": item, "left": counts.get(item, right)} for item, right in expected.items()
        ]
        return await self.act(self.organizer, "close", counts=body)

    async def card_code(self, person: TestPerson) -> str:
        return (await make_card_codes(self.runtime, person, 1))[0]

    async def end(self, *, walk_ins: bool = False) -> None:
        """Let orders have ended a second ago, and the day too unless it is for walk-ins."""
        ended = now() - timedelta(seconds=1)
        ends = now() + HOUR if walk_ins else ended
        await set_times(self.runtime.settings, self.id, ended, ends)

    async def at_walk_ins(self) -> None:
        """Let walk-ins have begun a second ago, and orders be released."""
        await self.end(walk_ins=True)
        await expire_reservations(self.runtime)

    async def over(self) -> None:
        """Let the day be over since a second, its orders ended and its absences recorded."""
        await self.end()
        await expire_reservations(self.runtime)
        await job.settle(self.runtime)


async def set_times(settings: Settings, day_id: str, walk_ins: datetime, ends: datetime) -> None:
    """Move the end of orders and of a day, as the schema's owner."""
    of_day = f"SELECT id FROM redemptions WHERE day_id = '{day_id}' AND status = 'reserved'"  # noqa: S608
    await as_owner(
        settings,
        f"UPDATE redemption_days SET closes_at = '{walk_ins}', walk_ins_at = '{walk_ins}',"  # noqa: S608
        f" ends_at = '{ends}' WHERE id = '{day_id}'",
        f"UPDATE ledger_holds SET held_until = '{walk_ins}' WHERE transfer_id IN ({of_day})",  # noqa: S608
        f"UPDATE ledger_accounts a SET holds_until = (SELECT min(held_until) FROM ledger_holds"  # noqa: S608
        f" WHERE account_id = a.id AND is_open) WHERE id IN (SELECT account_id FROM ledger_holds"
        f" WHERE transfer_id IN ({of_day}))",
        f"UPDATE redemptions SET expires_at = '{walk_ins}' WHERE id IN ({of_day})",  # noqa: S608
    )


def day_body(org: Org, counter: Counter, *rewards: Reward, **changes: Any) -> dict[str, Any]:
    """Return a body of a day that is open now, with ten pieces of each reward and no slots."""
    at = now()
    spans = (-2 * HOUR, HOUR, -HOUR, HOUR, 2 * HOUR)
    times = {name: (at + span).isoformat() for name, span in zip(COLUMNS, spans, strict=True)}
    content = {
        "org_id": str(org.id),
        "merchant_id": str(counter.merchant.id),
        "title": "秋季集中兑换",
        "place": "青年之家一楼",
        "items": [
            {"reward_id": str(one.id), "shelf": f"A{number}", "stock": 10}
            for number, one in enumerate(rewards, 1)
        ],
        "counters": ["一号柜台", "二号柜台"],
    }
    return times | content | changes


def slot_body(capacity: int) -> dict[str, Any]:
    """Return a slot of an hour, since half an hour."""
    at = now() - HOUR / 2
    until = at + HOUR
    return {"starts_at": at.isoformat(), "ends_at": until.isoformat(), "capacity": capacity}


async def make_draft(
    api: httpx.AsyncClient,
    runtime: Runtime,
    *prices: int,
    org: Org | None = None,
    counter: Counter | None = None,
    stock: int = 10,
    **changes: Any,
) -> Day:
    """Draft a day with one reward for each price, by default one of 10 points."""
    org = org or await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    counter = counter or await make_counter(runtime, kind=MerchantKind.fund_counter, org=org)
    rewards = [await make_reward(runtime, counter, points=price) for price in prices or (10,)]
    body = day_body(org, counter, *rewards)
    for item in body["items"]:
        item["stock"] = stock
    reply = await api.post(DAYS, headers=keyed(organizer), json=body | changes)
    assert reply.status_code == 201, reply.text
    return Day(api, runtime, org, organizer, counter, rewards, reply.json())


async def make_day(api: httpx.AsyncClient, runtime: Runtime, *prices: int, **changes: Any) -> Day:
    """Publish a day as ``make_draft`` drafts it."""
    day = await make_draft(api, runtime, *prices, **changes)
    reply = await api.post(f"{day.path}/publish", headers=keyed(day.organizer), json={})
    assert reply.status_code == 200, reply.text
    day.body = reply.json()
    return day


async def make_buyer(runtime: Runtime, points: int = 100) -> TestPerson:
    person = await make_person(runtime)
    await give_points(runtime, person.id, points)
    return person
