"""The service as ``SpendingMachine`` asks it: cards, charges, rewards and redemption days."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.errors import unwrap
from app.models.cards import CodePurpose
from app.models.orgs import Org
from app.models.rewards import Reward, RewardPeriod
from app.runtime import Runtime
from app.schemas.cards import CardCodeOut
from app.schemas.charges import DisputeDecisionIn, DisputeIn
from app.schemas.day_orders import (
    DayOrderIn,
    DayOrderOut,
    HandedOverOut,
    HandOverIn,
    SubstitutionIn,
    SubstitutionOut,
    WalkInIn,
)
from app.schemas.proxies import ProxyIn
from app.schemas.redemption_days.content import (
    DayItemIn,
    DayMovementIn,
    DaySlotIn,
    RedemptionDayDetailOut,
    RedemptionDayIn,
)
from app.schemas.redemption_days.reports import DayCloseIn, DayCountIn
from app.schemas.redemptions import ChargeOut, RedemptionIn, RedemptionOut, RefundIn
from app.schemas.rewards import StockMovementIn
from app.services import card_changes, cards, code_locks, proxies, reward_waits
from app.services.day_orders import counters, ordering, substituting
from app.services.merchants.access import Staff
from app.services.redemption_days import closing, editing
from app.services.redemptions import (
    charges,
    collecting,
    confirming,
    disputes,
    refunds,
    reservations,
    undoing,
)
from app.services.redemptions.charges import ChargeCommand
from app.services.rewards import editing as reward_editing
from tests.factories.rewards import Counter, make_reward
from tests.machine.fair import DAY_LIMIT, ITEMS, SLOTS, SOAP_LIMIT, TIMES
from tests.machine.model import SHOP, UNLIMITED
from tests.machine.town import Town
from tests.machine.wares import GOODS

CARD_CHANGES = {
    "freeze": card_changes.freeze,
    "unfreeze": card_changes.unfreeze,
    "lose": card_changes.report_loss,
    "replace": card_changes.replace,
}
REASON = "现场核对"
# By id: what each row says of itself.
_ORDERS = """
SELECT id, status, undone_at IS NOT NULL AS is_undone, pickup_code
FROM redemptions WHERE merchant_id = :merchant
"""
_CHARGES = """
SELECT c.id, c.status, (SELECT CAST(coalesce(sum(points), 0) AS bigint) FROM charge_refunds
                        WHERE charge_id = c.id) AS parts
FROM charges c WHERE c.merchant_id = :merchant
"""
_STOCKS = """
SELECT s.reward_id, s.remaining, s.period_start FROM reward_stocks s
JOIN rewards r ON r.id = s.reward_id WHERE r.merchant_id = :merchant
"""
_ITEMS = """
SELECT i.day_id, i.reward_id, i.remaining FROM redemption_day_items i
JOIN redemption_days d ON d.id = i.day_id WHERE d.merchant_id = :merchant
"""
_SLOTS = """
SELECT s.id, s.taken FROM redemption_day_slots s
JOIN redemption_days d ON d.id = s.day_id WHERE d.merchant_id = :merchant
"""
_WAITS = """
SELECT w.id, w.state FROM reward_waits w
JOIN rewards r ON r.id = w.reward_id WHERE r.merchant_id = :merchant
"""
_ABSENCES = """
SELECT a.person_id, a.day_id, a.skips_next FROM redemption_day_absences a
JOIN redemption_days d ON d.id = a.day_id WHERE d.merchant_id = :merchant
"""
_USED = """
SELECT code, used_at IS NOT NULL AS is_used FROM card_codes
WHERE person_id = ANY(CAST(:people AS uuid[]))
"""
_CARDS = "SELECT person_id, status FROM cards WHERE person_id = ANY(CAST(:people AS uuid[]))"
ROWS = {
    "orders": _ORDERS,
    "charges": _CHARGES,
    "stocks": _STOCKS,
    "items": _ITEMS,
    "slots": _SLOTS,
    "waits": _WAITS,
    "absences": _ABSENCES,
}


@dataclass(frozen=True)
class Stalls:
    """A shop of a town: everything is bought there, and each redemption day is its own."""

    town: Town
    goods: dict[str, Reward]

    @property
    def runtime(self) -> Runtime:
        return self.town.runtime

    @property
    def shop(self) -> Counter:
        return self.town.counters[SHOP]

    @property
    def org(self) -> Org:
        return self.town.orgs[UNLIMITED]

    @property
    def staff(self) -> Staff:
        return Staff(self.shop.staff.id)

    async def change_card(self, who: int, act: str) -> None:
        async with self.runtime.database.transaction() as tx:
            await CARD_CHANGES[act](tx, self.town.people[who].id)

    async def fetch(self, who: int, count: int, purpose: str | None) -> list[CardCodeOut]:
        wanted = CodePurpose(purpose) if purpose else None
        async with self.runtime.database.transaction() as tx:
            return await cards.codes(tx, self.town.people[who].id, count, wanted)

    async def charge(self, code: str, points: int) -> ChargeOut:
        command = ChargeCommand(self.shop.staff.id, code, points, "")
        async with self.runtime.database.transaction() as tx:
            [done] = await charges.charge(tx, [command], now())
            return unwrap([done])

    async def count_miss(self) -> None:
        """Count a wrong code, as the route does after its refusal."""
        async with self.runtime.database.transaction() as tx:
            await code_locks.count(tx, self.shop.merchant.id)

    async def answer_charge(self, who: int, charge: UUID, *, confirms: bool) -> None:
        act = confirming.confirm if confirms else confirming.refuse
        async with self.runtime.database.transaction() as tx:
            await act(tx, self.town.people[who].id, charge)

    async def refund(self, charge: UUID, points: int | None) -> None:
        async with self.runtime.database.transaction() as tx:
            await refunds.refund(tx, self.staff, charge, RefundIn(reason=REASON, points=points))

    async def dispute(self, who: int, charge: UUID) -> None:
        async with self.runtime.database.transaction() as tx:
            person = self.town.people[who].id
            await disputes.dispute(tx, person, charge, DisputeIn(reason=REASON))

    async def decide(self, charge: UUID, points: int | None, *, upheld: bool) -> None:
        body = DisputeDecisionIn(upheld=upheld, reason=REASON, points=points)
        async with self.runtime.database.transaction() as tx:
            await disputes.decide(tx, self.town.organizer.id, charge, body)

    async def reserve(self, who: int, reward: str, quantity: int) -> RedemptionOut:
        body = RedemptionIn(reward_id=self.goods[reward].id, quantity=quantity)
        async with self.runtime.database.transaction() as tx:
            return await reservations.reserve(tx, self.town.people[who].id, body)

    async def name_proxy(self, who: int, order: UUID) -> str:
        async with self.runtime.database.transaction() as tx:
            made = await proxies.make(tx, self.town.people[who].id, order, ProxyIn(name="李梅"))
        return made.code

    async def revoke(self, who: int, order: UUID) -> None:
        async with self.runtime.database.transaction() as tx:
            await proxies.revoke(tx, self.town.people[who].id, order)

    async def collect(self, code: str) -> None:
        """Collect for the code of an order or of a proxy."""
        async with self.runtime.database.transaction() as tx:
            await collecting.collect_one(tx, self.staff, code)

    async def cancel(self, who: int, order: UUID) -> None:
        async with self.runtime.database.transaction() as tx:
            await reservations.cancel(tx, self.town.people[who].id, order)

    async def undo(self, order: UUID) -> UUID:
        async with self.runtime.database.transaction() as tx:
            return (await undoing.undo(tx, self.staff, order, REASON)).replaced_by

    async def restock(self, reward: str, change: int) -> None:
        body = StockMovementIn(change=change, reason=REASON)
        reward_id, organizer = self.goods[reward].id, self.town.organizer.id
        async with self.runtime.database.transaction() as tx:
            await reward_editing.move_stock(tx, organizer, reward_id, body)

    async def wait(self, who: int, reward: str) -> UUID:
        person, reward_id = self.town.people[who].id, self.goods[reward].id
        async with self.runtime.database.transaction() as tx:
            return (await reward_waits.join(tx, person, reward_id)).id

    async def leave(self, who: int, wait: UUID) -> None:
        async with self.runtime.database.transaction() as tx:
            await reward_waits.leave(tx, self.town.people[who].id, wait)

    async def open_day(self) -> RedemptionDayDetailOut:
        at, organizer = now(), self.town.organizer.id
        times: dict[str, Any] = {name: at + span for name, span in TIMES.items()}
        body = RedemptionDayIn(
            org_id=self.org.id,
            merchant_id=self.shop.merchant.id,
            title="集中兑换",
            place="青年之家",
            limit_per_person=DAY_LIMIT,
            items=[
                DayItemIn(
                    reward_id=self.goods[item].id,
                    shelf=item,
                    stock=stock,
                    limit_per_person=SOAP_LIMIT if item == "soap" else None,
                )
                for item, stock in ITEMS.items()
            ],
            slots=[
                DaySlotIn(starts_at=at + since, ends_at=at + until, capacity=capacity)
                for since, until, capacity in SLOTS
            ],
            counters=["一号柜台"],
            **times,
        )
        async with self.runtime.database.transaction() as tx:
            made = await editing.create(tx, organizer, body)
            return await editing.publish(tx, organizer, made.id)

    async def order(
        self, who: int, day: UUID, item: UUID, quantity: int, slot: UUID
    ) -> DayOrderOut:
        body = DayOrderIn(item_id=item, quantity=quantity, slot_id=slot)
        async with self.runtime.database.transaction() as tx:
            return await ordering.order(tx, self.town.people[who].id, day, body)

    async def hand_over(self, day: UUID, **code: str) -> HandedOverOut:
        async with self.runtime.database.transaction() as tx:
            return await counters.hand_over(tx, self.shop.staff.id, day, HandOverIn(**code))

    async def walk_in(self, day: UUID, item: UUID, quantity: int, code: str) -> HandedOverOut:
        body = WalkInIn(item_id=item, quantity=quantity, card_code=code)
        async with self.runtime.database.transaction() as tx:
            return await counters.walk_in(tx, self.shop.staff.id, day, body)

    async def propose(
        self, day: UUID, order: UUID, item: UUID, code: str | None
    ) -> SubstitutionOut:
        body = SubstitutionIn(order_id=order, item_id=item, reason=REASON, card_code=code)
        async with self.runtime.database.transaction() as tx:
            return await substituting.propose(tx, self.shop.staff.id, day, body)

    async def answer(
        self, who: int, day: UUID, substitution: UUID, *, accept: bool
    ) -> SubstitutionOut:
        person = self.town.people[who].id
        async with self.runtime.database.transaction() as tx:
            return await substituting.answer(tx, person, day, substitution, accept=accept)

    async def move(self, day: UUID, item: UUID, change: int) -> None:
        body, organizer = DayMovementIn(quantity=change, reason=REASON), self.town.organizer.id
        async with self.runtime.database.transaction() as tx:
            await editing.move_stock(tx, organizer, day, item, body)

    async def close(self, day: UUID, left: dict[UUID, int]) -> None:
        counts = [DayCountIn(item_id=item, left=count) for item, count in left.items()]
        async with self.runtime.database.transaction() as tx:
            await closing.close(tx, self.town.organizer.id, day, DayCloseIn(counts=counts))

    async def pickup_code(self, order: UUID) -> str:
        rows = (await self.rows())["orders"]
        return next(str(row.pickup_code) for row in rows if row.id == order)

    async def rows(self) -> dict[str, Sequence[Any]]:
        """Read all rows of the shop and of its people, in one look."""
        people = {"people": [one.id for one in self.town.people]}
        async with self.runtime.database.read() as tx:
            merchant = {"merchant": self.shop.merchant.id}
            found: dict[str, Sequence[Any]] = {
                name: await tx.fetch(query, merchant) for name, query in ROWS.items()
            }
            found["codes"] = await tx.fetch(_USED, people)
            found["cards"] = await tx.fetch(_CARDS, people)
        return found


async def make_stalls(town: Town) -> Stalls:
    shop = town.counters[SHOP]
    goods = {}
    for name, one in GOODS.items():
        period = RewardPeriod.month if one.monthly else RewardPeriod.session
        goods[name] = await make_reward(
            town.runtime,
            shop,
            points=one.points,
            stock=one.stock,
            stock_period=period,
            limit_per_member=one.limit,
            limit_period=period if one.limit else None,
            min_tier="silver" if one.tier else "sprout",
        )
    return Stalls(town, goods)
