"""A redemption day under faults: an order of each person, four counters, and what must hold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from app.services import roles
from bench.crowd import Resident
from tests.factories.redemption_days import day_body, slot_body
from tests.factories.rewards import make_counter, make_reward
from tests.faults.load import Ask, Reply
from tests.faults.stage import API, Stage

COUNTERS = ("一号柜台", "二号柜台", "三号柜台", "四号柜台")
POINTS, PRICES, SPARE = 20, (3, 5), 15
ASKED_AGAIN_S = 0.1  # a phone or a counter without a reply

# Of each thing the rows for which it is not as it should be. ``people`` have had an order each,
# ``came`` collected it, ``absent`` did not; ``walkers`` had no order.
_WRONG = {
    "orders": """
        SELECT k.id FROM unnest(CAST(:people AS uuid[])) k(id)
        LEFT JOIN redemptions r ON r.person_id = k.id AND r.day_id = :day AND NOT r.is_walk_in
        GROUP BY k.id HAVING count(r.id) <> 1""",
    "walk-ins": """
        SELECT k.id FROM unnest(CAST(:walkers AS uuid[])) k(id)
        LEFT JOIN redemptions r ON r.person_id = k.id AND r.day_id = :day AND r.is_walk_in
        GROUP BY k.id HAVING count(r.id) <> 1""",
    "collected": """
        SELECT k.id FROM unnest(CAST(:came AS uuid[]) || CAST(:walkers AS uuid[])) k(id)
        LEFT JOIN redemptions r ON r.person_id = k.id AND r.day_id = :day
        WHERE r.status IS DISTINCT FROM 'collected'""",
    "released": """
        SELECT k.id FROM unnest(CAST(:absent AS uuid[])) k(id)
        LEFT JOIN redemptions r ON r.person_id = k.id AND r.day_id = :day
        WHERE r.status IS DISTINCT FROM 'expired'""",
    "transfers": """
        SELECT r.id FROM redemptions r
        LEFT JOIN ledger_transfers h ON h.id = r.id AND h.kind = 'hold'
        LEFT JOIN ledger_transfers t ON t.closes_id = r.id
        WHERE r.day_id = :day GROUP BY r.id, r.status
        HAVING count(h.id) <> 1 OR count(t.id) <> 1 OR min(t.kind) IS DISTINCT FROM
            CASE r.status WHEN 'collected' THEN 'collect' WHEN 'expired' THEN 'unhold' END""",
    "held": """
        SELECT id FROM ledger_accounts WHERE purpose = 'held' AND balance <> 0
        AND owner_id = ANY(CAST(:people AS uuid[]) || CAST(:walkers AS uuid[]))""",
    "open holds": """
        SELECT r.id FROM redemptions r JOIN ledger_holds h ON h.transfer_id = r.id
        WHERE r.day_id = :day AND h.is_open""",
    "balances": """
        SELECT k.id FROM unnest(CAST(:everybody AS uuid[]), CAST(:points AS int[])) k(id, points)
        LEFT JOIN ledger_accounts a ON a.owner_id = k.id AND a.purpose = 'available'
             AND a.unit_id = 1
        WHERE a.balance IS DISTINCT FROM k.points""",
    "takings": """
        SELECT k.id FROM (VALUES (CAST(:merchant AS uuid), CAST(:taken AS int))) k(id, points)
        LEFT JOIN ledger_accounts a ON a.owner_id = k.id AND a.purpose = 'takings'
        WHERE a.balance IS DISTINCT FROM k.points""",
    "goods": """
        SELECT i.id FROM unnest(CAST(:items AS uuid[]), CAST(:left AS int[])) k(id, pieces)
        JOIN redemption_day_items i ON i.id = k.id WHERE i.remaining <> k.pieces""",
    "places": """
        SELECT s.id FROM redemption_day_slots s WHERE s.day_id = :day AND s.taken <> (
            SELECT count(*) FROM redemptions r
            WHERE r.slot_id = s.id AND r.person_id = ANY(CAST(:came AS uuid[])))""",
    "absences": """
        (SELECT unnest(CAST(:absent AS uuid[])) EXCEPT
         SELECT person_id FROM redemption_day_absences WHERE day_id = :day)
        UNION ALL
        (SELECT person_id FROM redemption_day_absences WHERE day_id = :day EXCEPT
         SELECT unnest(CAST(:absent AS uuid[])))""",
    "entries": """
        SELECT k.id FROM unnest(CAST(:came AS uuid[]) || CAST(:walkers AS uuid[])) k(id)
        LEFT JOIN audit_entries e ON e.subject_id = :day
             AND e.verb IN ('goods_handed_over', 'walked_in')
             AND e.facts ->> 'person' = CAST(k.id AS text)
        GROUP BY k.id HAVING count(e.id) <> 1""",
}


@dataclass
class RedemptionDay:
    """A published day. ``wants``: item and pieces of each person, in the order of the people."""

    stage: Stage
    id: str
    merchant: UUID
    organizer: Resident
    clerks: list[Resident]
    people: list[Resident]
    walkers: list[Resident]
    absent: int
    items: list[str]
    slots: list[str]
    stocks: list[int]
    wants: list[tuple[int, int]]
    pickup: list[str] = field(default_factory=list)

    @property
    def came(self) -> list[Resident]:
        return self.people[: len(self.people) - self.absent]

    def left(self) -> list[int]:
        """Return the pieces of each item that must be on the shelf in the end."""
        left = list(self.stocks)
        for item, pieces in [*self.wants[: len(self.came)], *self._walked()]:
            left[item] -= pieces
        return left

    def _walked(self) -> list[tuple[int, int]]:
        return [(number % 2, 1) for number in range(len(self.walkers))]

    def orders(self) -> list[Ask]:
        return [
            self._ask(one, "orders", item_id=self.items[item], quantity=pieces, slot_id=slot)
            for one, (item, pieces), slot in zip(
                self.people, self.wants, cycle(self.slots), strict=False
            )
        ]

    def ordered(self, asks: Sequence[Ask], replies: Sequence[tuple[Ask, Reply]]) -> None:
        """Note the pick-up codes of the replies to the orders."""
        codes = {ask: json.loads(reply.body)["pickup_code"] for ask, reply in replies}
        self.pickup = [codes[ask] for ask in asks]

    async def handovers(self) -> list[list[Ask]]:
        """Return what each counter scans: pick-up codes, and every third time a card."""
        cards = await self.stage.crowd.card_codes(self.came)
        codes = [
            {"card_code": card} if number % 3 == 0 else {"pickup_code": pickup}
            for number, (card, pickup) in enumerate(zip(cards, self.pickup, strict=False))
        ]
        return [
            [self._ask(clerk, "handovers", **code) for code in codes[number :: len(self.clerks)]]
            for number, clerk in enumerate(self.clerks)
        ]

    async def walk_ins(self) -> list[list[Ask]]:
        cards = await self.stage.crowd.card_codes(self.walkers)
        wanted = list(zip(cards, self._walked(), strict=True))
        return [
            [
                self._ask(clerk, "walk-ins", item_id=self.items[item], quantity=1, card_code=card)
                for card, (item, _) in wanted[number :: len(self.clerks)]
            ]
            for number, clerk in enumerate(self.clerks)
        ]

    def closing(self) -> Ask:
        counts = [
            {"item_id": item, "left": left}
            for item, left in zip(self.items, self.left(), strict=True)
        ]
        return self._ask(self.organizer, "close", counts=counts)

    def _ask(self, who: Resident, act: str, **body: Any) -> Ask:
        path = f"{API}/redemption-days/{self.id}/{act}"
        return Ask("POST", path, who.id, who.token, str(uuid4()), json.dumps(body))

    def spent(self) -> list[int]:
        """Return the points of each person's orders, then of the walk-ins."""
        return [PRICES[item] * pieces for item, pieces in [*self.wants, *self._walked()]]

    async def wrong(self) -> dict[str, int]:
        """Count what was lost, done twice, or is still held."""
        everybody, paid = [*self.people, *self.walkers], self.spent()
        for number in range(len(self.came), len(self.people)):
            paid[number] = 0
        lists = {"people": self.people, "came": self.came, "walkers": self.walkers}
        lists |= {"absent": self.people[len(self.came) :], "everybody": everybody}
        values: dict[str, Any] = {
            **{name: [one.id for one in people] for name, people in lists.items()},
            "day": UUID(self.id),
            "points": [POINTS - one for one in paid],
            "merchant": self.merchant,
            "taken": sum(paid),
            "items": [UUID(one) for one in self.items],
            "left": self.left(),
        }
        found = {}
        async with self.stage.look() as tx:
            for what, query in _WRONG.items():
                given = {name: value for name, value in values.items() if f":{name}" in query}
                found[what] = len((await tx.execute(text(query), given)).all())
        return {what: number for what, number in found.items() if number}

    async def released(self) -> int:
        """Count the orders that have ended without being collected."""
        async with self.stage.look() as tx:
            query = "SELECT count(*) FROM redemptions WHERE day_id = :day AND status = 'expired'"
            found: int = (await tx.execute(text(query), {"day": UUID(self.id)})).scalar_one()
        return found

    async def is_settled(self) -> bool:
        """Tell whether the absences are recorded."""
        async with self.stage.look() as tx:
            query = "SELECT settled_at IS NOT NULL FROM redemption_days WHERE id = :day"
            return bool((await tx.execute(text(query), {"day": UUID(self.id)})).scalar_one())


async def make_redemption_day(
    one: Stage, number: int, *, absent: int = 0, walk_ins: int = 0, spare: int = SPARE
) -> RedemptionDay:
    """Publish a day over HTTP for people with points, its counters' staff, and its organizer."""
    runtime, street = one.runtime, await one.crowd.org()
    [organizer] = await one.crowd.organizers(1)
    counter = await make_counter(runtime, org=street)
    clerks = await one.residents(len(COUNTERS))
    async with runtime.database.transaction() as tx:
        for clerk in clerks:
            await roles.appoint_staff(tx, None, clerk.id, counter.merchant.id)
    people, walkers = await one.residents(number), await one.residents(walk_ins)
    await one.crowd.give_points([*people, *walkers], POINTS)
    wants = [(place % 2, 1 + (place % 5 == 0)) for place in range(number)]
    stocks = [spare + sum(n for item, n in wants if item == each) for each in range(len(PRICES))]
    rewards = [await make_reward(runtime, counter, points=price) for price in PRICES]
    body = day_body(street, counter, *rewards, counters=COUNTERS)
    body["slots"] = [slot_body(number) for _ in range(2)]
    for item, stock in zip(body["items"], stocks, strict=True):
        item["stock"] = stock
    made = await _posted(one, organizer, "/redemption-days", body)
    shown = await _posted(one, organizer, f"/redemption-days/{made['id']}/publish", {})
    ids = {item["reward_id"]: item["id"] for item in shown["items"]}
    return RedemptionDay(
        stage=one,
        id=shown["id"],
        merchant=counter.merchant.id,
        organizer=organizer,
        clerks=clerks,
        people=people,
        walkers=walkers,
        absent=absent,
        items=[ids[str(reward.id)] for reward in rewards],
        slots=[slot["id"] for slot in shown["slots"]],
        stocks=stocks,
        wants=wants,
    )


async def _posted(one: Stage, who: Resident, path: str, body: dict[str, Any]) -> dict[str, Any]:
    ask = Ask("POST", f"{API}{path}", who.id, who.token, str(uuid4()), json.dumps(body))
    load = one.load([ask], connections=1, rest=ASKED_AGAIN_S)
    await load.run()
    [(_, reply)] = load.kept
    assert reply.status < 300, reply.body
    found: dict[str, Any] = json.loads(reply.body)
    return found
