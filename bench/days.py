"""``python -m bench.days``: a redemption day (集中兑换) of 5,000 orders at 40 counters, over HTTP.

Everybody reserves a thing. Then 40 members of staff hand over, half by pick-up code and half by the
code of a card, each the next one as soon as the reply is there: that is the most that 40 counters
can ask. While the service is busy (503) a request is repeated, in the same time. Beside each round
of the day runs a round of ordinary collections (batched) by the same staff at the same merchant, so
that a slow minute of the machine strikes both; the ratio is the median of the rounds. At the end
the day is closed and the ledger verified.

Status 1: a request was refused, a hand-over took a second or more at p99, the day did not balance,
or the ledger does not verify.
"""

import asyncio
import json
import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from rich.console import Console
from rich.table import Table

from app.core.clock import now
from app.embedded.databases import connect
from app.models.merchants import MerchantKind
from app.queries import people as people_queries
from app.runtime import Runtime, open_runtime
from app.services.ledger import verification
from bench.cases import API
from bench.crowd import PRICE, Crowd, Resident, thing
from bench.queues import Reply, Served, ask, serve
from bench.service import PARTS, Service, service
from bench.wrk import Request

PORT = 8477
PEOPLE, COUNTERS, ROUNDS, SHELVES, SLOTS = 5_000, 40, 5, 10, 5
WANTED_MS = 1000
HOUR = timedelta(hours=1)
# So that the day is over: nobody's order is left, so nothing else depends on these times.
_END = """
UPDATE redemption_days SET closes_at = $2, walk_ins_at = $2, ends_at = $2 WHERE id = $1
"""
out = Console(width=140)


@dataclass
class Rounds:
    """Rounds of one kind of request. ``cost``: seconds of a core, by part of the service."""

    name: str
    rounds: list[Served] = field(default_factory=list)
    cost: dict[str, float] = field(default_factory=dict)

    async def run(self, one: Service, work: Awaitable[Served]) -> None:
        before = one.cpu_seconds()
        self.rounds.append(await work)
        for part, seconds in one.cpu_seconds().items():
            self.cost[part] = self.cost.get(part, 0) + seconds - before[part]

    @property
    def all(self) -> Served:
        replies = [reply for one in self.rounds for reply in one.replies]
        return Served(sum(one.seconds for one in self.rounds), replies)


@dataclass(frozen=True)
class Fair:
    """A published day; its counters are those of one merchant of the kind ``fund_counter``."""

    port: int
    runtime: Runtime
    crowd: Crowd
    organizer: Resident
    staff: Sequence[Resident]
    day: dict[str, Any]

    @property
    def path(self) -> str:
        return f"{API}/redemption-days/{self.day['id']}"

    async def reserve(self, people: Sequence[Resident], codes: dict[UUID, str]) -> Served:
        """Let people reserve a thing each, 40 at once; keep the pick-up codes."""
        items = [one["id"] for one in self.day["items"]]
        slots = [one["id"] for one in self.day["slots"]]
        path = f"{self.path}/orders"
        requests = []
        for number, one in enumerate(people):
            item, slot = items[number % len(items)], slots[number % len(slots)]
            requests.append(_post(path, one, {"item_id": item, "slot_id": slot}))
        served = await serve(self.port, requests, COUNTERS)
        for one, reply in zip(people, served.replies, strict=True):
            codes[one.id] = _read(reply)["pickup_code"]
        return served

    async def hand_over(self, people: Sequence[Resident], codes: dict[UUID, str]) -> Served:
        """Serve people who come at once; every other one shows the card."""
        cards = iter(await self.crowd.card_codes(people[1::2]))
        bodies = [
            {"card_code": next(cards)} if number % 2 else {"pickup_code": codes[one.id]}
            for number, one in enumerate(people)
        ]
        return await self._serve(f"{self.path}/handovers", bodies)

    async def collect(self, people: Sequence[Resident]) -> Served:
        """Serve people who have reserved a thing of the same merchant outside of the day."""
        codes = await self.crowd.reservations(people, self.staff[:1])
        return await self._serve(
            f"{API}/merchant/redemptions/collect", [{"pickup_code": code} for code in codes]
        )

    async def _serve(self, path: str, bodies: Sequence[dict[str, str]]) -> Served:
        served_by = zip(cycle(self.staff), bodies, strict=False)
        requests = [_post(path, one, body) for one, body in served_by]
        return await serve(self.port, requests, len(self.staff))

    async def read(self, path: str) -> Reply:
        reply = await ask(self.port, Request("GET", self.path + path, self.organizer.token))
        assert reply.status == 200, reply.body[:300]
        return reply

    async def close(self) -> tuple[Reply, Reply]:
        """End the day, count the shelves and close it; return the replies of report and close."""
        url = self.runtime.settings.migration_database_url
        assert url is not None
        owner = await connect(url)
        await owner.execute(_END, UUID(self.day["id"]), now() - timedelta(seconds=1))
        await owner.close()
        report = await self.read("/report")
        counts = [
            {"item_id": one["item_id"], "left": one["expected"]} for one in _read(report)["items"]
        ]
        request = _post(f"{self.path}/close", self.organizer, {"counts": counts})
        return report, await ask(self.port, request)


def _post(path: str, who: Resident, body: dict[str, Any]) -> Request:
    return Request("POST", path, who.token, key=str(uuid4()), body=json.dumps(body))


def _read(reply: Reply) -> dict[str, Any]:
    assert reply.status < 400, reply.body[:300]
    found: dict[str, Any] = json.loads(reply.body)
    return found


async def open_fair(one: Service, runtime: Runtime, people: int) -> Fair:
    """Make a merchant with 40 members of staff, and publish a day that is open now."""
    crowd = Crowd(runtime)
    [organizer] = await crowd.organizers(1)
    staff = await crowd.staff(1, COUNTERS, MerchantKind.fund_counter)
    async with runtime.database.transaction() as tx:
        [place] = (await people_queries.merchants_of(tx, [staff[0].id]))[staff[0].id]
        rewards = [thing(place.org_id, place.merchant_id) for _ in range(SHELVES)]
        tx.add_all(rewards)
        await tx.flush()
        ids = [str(reward.id) for reward in rewards]
    body = _day(now(), str(place.org_id), str(place.merchant_id), ids, people)
    made = await ask(one.port, _post(f"{API}/redemption-days", organizer, body))
    path = f"{API}/redemption-days/{_read(made)['id']}/publish"
    published = await ask(one.port, _post(path, organizer, {}))
    return Fair(one.port, runtime, crowd, organizer, staff, _read(published))


def _day(
    at: datetime, org: str, merchant: str, rewards: Sequence[str], people: int
) -> dict[str, Any]:
    times = {
        "opens_at": at - 2 * HOUR,
        "closes_at": at + 2 * HOUR,
        "starts_at": at - HOUR,
        "walk_ins_at": at + 3 * HOUR,
        "ends_at": at + 4 * HOUR,
    }
    slot = {"starts_at": at - HOUR, "ends_at": at + HOUR}
    return {name: moment.isoformat() for name, moment in times.items()} | {
        "org_id": org,
        "merchant_id": merchant,
        "title": "全县集中兑换",
        "place": "体育馆",
        "items": [
            {"reward_id": reward, "shelf": f"A{number}", "stock": people}
            for number, reward in enumerate(rewards, 1)
        ],
        "slots": [
            {name: moment.isoformat() for name, moment in slot.items()} | {"capacity": people}
            for _ in range(SLOTS)
        ],
        "counters": [f"{number} 号柜台" for number in range(1, COUNTERS + 1)],
    }


async def measure(one: Service, people: int) -> int:
    """Play the day, print what was measured, and return the exit status."""
    async with open_runtime(one.settings) as runtime:
        fair = await open_fair(one, runtime, people)
        residents = await fair.crowd.residents(people)
        await fair.crowd.give_points(residents, 2 * PRICE)
        booked, codes = Rounds("reservation"), dict[UUID, str]()
        await booked.run(one, fair.reserve(residents, codes))
        lists = {path: await fair.read(path) for path in ("/orders.html", "/orders?limit=100")}
        over, beside = Rounds("hand-over"), Rounds("ordinary collection")
        for number in range(ROUNDS):
            part = residents[number::ROUNDS]
            runs = [(over, fair.hand_over(part, codes)), (beside, fair.collect(part))]
            for rounds, run in runs if number % 2 else reversed(runs):
                await rounds.run(one, run)
        report, closed = await fair.close()
        async with runtime.database.snapshot() as tx, runtime.database.snapshot() as second:
            verified = await verification.verify(tx, beside=second)
    _show([booked, over, beside])
    ratios = [a.rate / b.rate for a, b in zip(over.rounds, beside.rounds, strict=True)]
    for name, reply in {**lists, "/report": report, "/close": closed}.items():
        out.print(f"{name}: {reply.seconds * 1000:.0f} ms, {len(reply.body):,} bytes")
    balances = closed.status == 200 and _read(closed)["balances"]
    collected = _read(report)["points_collected"]
    out.print(
        f"hand-over to collection, rates: {median(ratios):.2f}"
        f" ({min(ratios):.2f}-{max(ratios):.2f}); p99 {over.all.percentile(99):.0f} ms,"
        f" less than {WANTED_MS} wanted; the day {'balances' if balances else 'DOES NOT BALANCE'}"
        f" with {collected:,} points, differences of the ledger: {len(verified.differences)}"
    )
    for told in {reply.body[:300] for reply in over.all.replies if reply.status >= 400}:
        out.print(told.decode(), markup=False)
    refused = booked.all.refused + over.all.refused + beside.all.refused
    right = balances and verified.holds and collected == people * PRICE and not refused
    return int(not right or over.all.percentile(99) >= WANTED_MS)


def _show(kinds: Sequence[Rounds]) -> None:
    table = Table("40 at once")
    for column in (
        "requests/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "longest ms",
        "busy",
        "refused",
        *PARTS,
    ):
        table.add_column(column, justify="right")
    for kind in kinds:
        served = kind.all
        table.add_row(
            kind.name,
            f"{served.rate:,.0f}",
            *(f"{served.percentile(percent):.0f}" for percent in (50, 95, 99)),
            f"{served.longest:.0f}",
            str(served.busy),
            str(served.refused),
            *(f"{1000 * kind.cost[part] / len(served.replies):.2f}" for part in PARTS),
        )
    out.print(table)


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    options = parser.parse_args()
    with service(PORT) as one:
        return asyncio.run(measure(one, options.people))


if __name__ == "__main__":
    sys.exit(main())
