"""The counters of a redemption day: hand-overs of all that a person has reserved, and walk-ins.

Collections are those of any redemption (``redemptions/collecting``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.models.cards import CodePurpose
from app.models.merchants import Merchant, MerchantState
from app.models.proxies import CollectionProxy
from app.models.redemption_days import DayItem, RedemptionDay
from app.models.redemptions import Redemption
from app.models.rewards import Reward
from app.queries import cards as card_queries
from app.queries import people as people_queries
from app.queries.redemption_days import orders as queries
from app.schemas.day_orders import (
    HandedOrderOut,
    HandedOverOut,
    HandOverIn,
    HandOverPreviewIn,
    WalkInIn,
)
from app.schemas.proxies import ProxyShownOut
from app.services import audit, people
from app.services.day_orders import ordering
from app.services.ledger import moments, posting
from app.services.merchants import access as merchants
from app.services.merchants.access import MerchantSuspended
from app.services.redemption_days import reading
from app.services.redemptions import card_codes, collecting, proxies, reservations

Found = Sequence[tuple[Redemption, DayItem, Reward]]


class NothingToHandOver(Refusal):
    code, status, title = "day_orders.nothing_to_hand_over", 409, "Nothing to hand over"
    zh, en = "该居民本场没有待领取的预约", "The person has nothing to collect on this day."


class OwnHandOver(Refusal):
    code, status, title = "day_orders.own", 403, "Own order"
    zh, en = "不能为本人办理，请由其他工作人员办理", "Nobody serves themselves; ask another one."


@dataclass(frozen=True, slots=True)
class Counter:
    """A day, its merchant, and who serves."""

    day: RedemptionDay
    merchant: Merchant
    server: UUID


async def serving(tx: Session, caller: UUID, day_id: UUID) -> Counter:
    """Return the counter of somebody who hands over; the day stays open until the commit.

    Raises RedemptionDayNotFound, RedemptionDayWrongState, Forbidden, MerchantSuspended.
    """
    day = await reading.shared(tx, day_id)
    if not await reading.hands_over(tx, caller, day):
        raise people.Forbidden
    merchant = await merchants.get(tx, day.merchant_id)
    if merchant.state != MerchantState.active:
        raise MerchantSuspended
    return Counter(day, merchant, caller)


async def preview(
    tx: Session, caller: UUID, day_id: UUID, body: HandOverPreviewIn
) -> HandedOverOut:
    """Tell what would be handed over, without doing it; no code is used up.

    Raises as ``hand_over``.
    """
    counter = await serving(tx, caller, day_id)
    at = await moments.moment(tx)
    whose = await _whose(tx, counter, body.pickup_code, body.card_code, at, uses=False)
    return await _shown(tx, whose, await _orders(tx, counter, whose, None, at))


async def hand_over(tx: Session, caller: UUID, day_id: UUID, body: HandOverIn) -> HandedOverOut:
    """Hand over all that a person has reserved, or some of it, in one call.

    Raises RedemptionDayNotFound, RedemptionDayWrongState, RedemptionDayNotOpen, Forbidden,
    MerchantSuspended, RedemptionNotFound, RedemptionNotReserved, CardCodeInvalid, CardCodeUsed,
    CardSuspended, NothingToHandOver, OwnHandOver.
    """
    counter = await serving(tx, caller, day_id)
    at = await moments.moment(tx)
    if refusal := reading.not_open(counter.day.starts_at, counter.day.ends_at, at):
        raise refusal
    whose = await _whose(tx, counter, body.pickup_code, body.card_code, at)
    orders = await _orders(tx, counter, whose, body.order_ids, at)
    shown = await _shown(tx, whose, orders)
    await collect(tx, counter, [order for order, _, _ in orders], proxy=whose.proxy)
    facts: dict[str, str | int] = {
        "person": str(whose.person_id),
        "orders": len(orders),
        "pieces": sum(order.quantity for order, _, _ in orders),
    }
    await audit.write(tx, caller, "goods_handed_over", counter.day, facts=facts)
    return shown


async def collect(
    tx: Session,
    counter: Counter,
    orders: Sequence[Redemption],
    handed_at: datetime | None = None,
    proxy: CollectionProxy | None = None,
) -> None:
    """Collect orders at a counter; the objects keep the state from before.

    ``handed_at``: when it was, of what a counter without network recorded. ``proxy``: whose code
    was shown for the one order; it is used up.
    The account of a fund counter is locked from here to the commit, and every counter of the day
    waits for it: nothing is read that can be read before. Raises RedemptionNotReserved,
    CardSuspended, RedemptionNotFound (the proxy was revoked meanwhile).
    """
    at = await moments.moment(tx)
    codes = [proxy.code] if proxy else [order.pickup_code for order in orders]
    merchant, server = counter.merchant, counter.server
    for outcome in await collecting.collect_at(tx, merchant, server, codes, at, handed_at):
        if isinstance(outcome, Refusal):
            raise outcome


@dataclass(frozen=True, slots=True)
class _Whose:
    """Who has the orders. ``order``: whose code was shown, unless it was the card's.

    ``proxy``: of the one order that its code stands for.
    """

    person_id: UUID
    order: Redemption | None = None
    proxy: CollectionProxy | None = None


async def _whose(
    tx: Session,
    counter: Counter,
    pickup_code: str | None,
    card_code: str | None,
    at: datetime,
    *,
    uses: bool = True,
) -> _Whose:
    """Return whose code it is, or who made its proxy.

    Raises as ``by_card_code``, RedemptionNotFound, and OwnHandOver.
    """
    if card_code is not None:
        return _Whose(await by_card_code(tx, counter, card_code, uses=uses))
    assert pickup_code is not None, "one of two is given"
    [shown] = await proxies.read(tx, [pickup_code])
    order = await queries.by_code(tx, counter.day.id, shown.pickup_code)
    if order is None:
        raise reservations.RedemptionNotFound
    reservations.require_reserved(order, at)
    await require_other(tx, counter, order.person_id)
    return _Whose(order.person_id, order, shown.proxy)


async def by_card_code(tx: Session, counter: Counter, card_code: str, *, uses: bool = True) -> UUID:
    """Return whose card shows a code, which is used up.

    Raises CardCodeInvalid, CardCodeUsed, CardSuspended, OwnHandOver.
    """
    at = now()
    rows = await card_queries.lock_codes(tx, [card_code])
    row, by = rows.get(card_code), counter.merchant.id
    code = card_codes.require_usable(row, at, CodePurpose.charge, by)
    await require_other(tx, counter, code.person_id)
    if uses:
        await card_queries.use_codes(tx, [code.id], at, [by])
    return code.person_id


async def require_other(tx: Session, counter: Counter, person_id: UUID) -> None:
    """Raise OwnHandOver if the person is who serves, by any account."""
    if await people.is_any_of(tx, counter.server, person_id):
        raise OwnHandOver


async def _orders(
    tx: Session, counter: Counter, whose: _Whose, wanted: list[UUID] | None, at: datetime
) -> Found:
    """Lock what a person has to collect, or the order of a proxy.

    The order whose code was shown must still wait: of two counters that are shown codes of one
    order the second has none to hand over. Raises RedemptionNotReserved, NothingToHandOver.
    """
    family = await people_queries.family(tx, whose.person_id)
    found = await queries.lock_orders(tx, counter.day.id, family, at)
    if whose.order is not None and whose.order.id not in {order.id for order, _, _ in found}:
        await tx.refresh(whose.order)
        reservations.require_reserved(whose.order, at)
    chosen = [one for one in found if wanted is None or one[0].id in wanted]
    if whose.proxy is not None:
        chosen = [one for one in chosen if one[0].id == whose.proxy.redemption_id]
    if not chosen:
        raise NothingToHandOver
    return chosen


async def walk_in(tx: Session, caller: UUID, day_id: UUID, body: WalkInIn) -> HandedOverOut:
    """Reserve and hand over at once what is left, to somebody whose card is there.

    Raises RedemptionDayNotFound, RedemptionDayWrongState, RedemptionDayNotOpen, Forbidden,
    MerchantSuspended, CardCodeInvalid, CardCodeUsed, CardSuspended, OwnHandOver, DayItemNotFound,
    RedemptionDaySkipped, TierTooLow, DayLimitReached, InsufficientPoints, DaySoldOut.
    """
    counter = await serving(tx, caller, day_id)
    at, day = await moments.moment(tx), counter.day
    if refusal := reading.not_open(day.walk_ins_at, day.ends_at, at):
        raise refusal
    person_id = await by_card_code(tx, counter, body.card_code)
    wanted = await ordering.admitted(tx, day, person_id, body.item_id, body.quantity, at)
    # All accounts in one call: a second call could deadlock.
    payee = ordering.payee(counter.merchant, wanted.policy, wanted.policy.unit_id)
    keys = [*ordering.payers(wanted, person_id), payee]
    accounts = await posting.lock(tx, keys, at)
    await ordering.check_limits(tx, wanted)
    made = ordering.made_of(wanted, person_id, None, day.ends_at, at)
    made.is_walk_in = True
    await ordering.hold(tx, wanted, made, accounts, at)
    await collect(tx, counter, [made])
    facts: dict[str, str | int] = {"person": str(person_id), "pieces": made.quantity}
    await audit.write(tx, caller, "walked_in", day, facts=facts)
    return await _shown(tx, _Whose(person_id), [(made, wanted.item, wanted.reward)])


async def _shown(tx: Session, whose: _Whose, orders: Found) -> HandedOverOut:
    names = await people_queries.names(tx, [whose.person_id])
    return HandedOverOut(
        display_name=people.masked(names[whose.person_id].display_name),
        proxy=ProxyShownOut(name=whose.proxy.name) if whose.proxy else None,
        orders=[
            HandedOrderOut(
                **order.model_dump(include=set(HandedOrderOut.model_fields)),
                shelf=item.shelf,
                reward_name=named(reward.name, reward.name_en),
            )
            for order, item, reward in orders
        ],
        pieces=sum(order.quantity for order, _, _ in orders),
        points=sum(order.points for order, _, _ in orders),
    )
