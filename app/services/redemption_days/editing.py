"""Redemption days are drafted, edited and published; afterwards their stock and stewards change."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.paging import Page
from app.core.validation_messages import invalid
from app.models.merchants import Merchant, MerchantState
from app.models.redemption_days import (
    DayCounter,
    DayItem,
    DayMovement,
    DaySlot,
    DayState,
    DaySteward,
    RedemptionDay,
)
from app.models.rewards import RewardState
from app.queries import merchants as merchant_queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries import rewards as reward_queries
from app.queries.redemption_days import lists
from app.queries.redemption_days import orders as queries
from app.schemas.redemption_days.content import (
    DayMovedOut,
    DayMovementIn,
    RedemptionDayDetailOut,
    RedemptionDayEditIn,
    RedemptionDayIn,
    StewardOfDayIn,
    StewardOfDayOut,
)
from app.services import audit, coverages, orgs, people, records
from app.services.day_orders.ordering import DayItemNotFound, DaySoldOut
from app.services.merchants import access as merchants
from app.services.people import CardGuesses, PersonNotFound
from app.services.redemption_days import reading
from app.services.redemption_days.reading import RedemptionDayNotFound, RedemptionDayWrongState

MOVES = {
    DayState.draft: {DayState.published},
    DayState.published: {DayState.closed},
}
CONTENT = {"items", "slots", "counters", "org_id"}
MOST_STEWARDS = 200


class StewardOfDayThere(Refusal):
    code, status, title = "redemption_days.steward_there", 409, "Steward already"
    zh, en = "该居民已是本场工作人员", "This person is a steward of the day already."


class StewardOfDayNotFound(Refusal):
    code, status, title = "redemption_days.no_such_steward", 404, "No such steward"
    zh, en = "本场没有该工作人员", "There is no such steward of this day."


async def create(tx: Session, caller: UUID, body: RedemptionDayIn) -> RedemptionDayDetailOut:
    """Draft a day. Raises OrgNotFound, Forbidden, OrgClosed, Invalid (merchant, rewards, times)."""
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    day = RedemptionDay(
        id=new_id(), org_id=org.id, created_by=caller, **body.model_dump(exclude=CONTENT)
    )
    merchant = await _merchant(tx, org.id, body.merchant_id)
    await records.create(tx, caller, day)
    await _fill(tx, day, merchant, body)
    return await _detail(tx, caller, day)


async def edit(
    tx: Session, caller: UUID, day_id: UUID, version: int, body: RedemptionDayEditIn
) -> RedemptionDayDetailOut:
    """Replace the content of a draft.

    Raises RedemptionDayNotFound, PreconditionFailed, RedemptionDayWrongState, OrgClosed, Invalid.
    """
    day = await organized(tx, caller, day_id)
    records.require_version(day.version, version)
    if day.state != DayState.draft:
        raise RedemptionDayWrongState(status=day.state)
    await orgs.get_open(tx, day.org_id)
    merchant = await _merchant(tx, day.org_id, body.merchant_id)
    for name, value in body.model_dump(exclude=CONTENT).items():
        if getattr(day, name) != value:
            setattr(day, name, value)
    changed = [*record_queries.changed(day), "items"]
    day.version += 1
    await record_queries.save(tx, day)
    await _fill(tx, day, merchant, body)
    await audit.write(tx, caller, "changed", day, fields=sorted(changed))
    return await _detail(tx, caller, day)


async def publish(tx: Session, caller: UUID, day_id: UUID) -> RedemptionDayDetailOut:
    """Publish a draft: the prices of its items are now those of their rewards.

    Raises RedemptionDayNotFound, OrgClosed, RedemptionDayWrongState, Invalid (it is over),
    MerchantWrongState, and PricesFrozen (of a reward that is not offered: this publishes a price).
    """
    day = await organized(tx, caller, day_id)
    await orgs.get_open(tx, day.org_id)
    if day.state == DayState.draft and day.closes_at <= now():
        raise invalid("body.closes_at", "应晚于当前时间", "lies in the past")
    merchant = await merchants.get(tx, day.merchant_id)
    if merchant.state != MerchantState.active:
        raise merchants.MerchantWrongState(status=merchant.state)
    if day.state == DayState.draft:
        items = await queries.items(tx, day.id)
        if any(reward.state != RewardState.published for _, reward in items):
            await coverages.require_unfrozen(tx, day.org_id)
        for item, reward in items:
            item.points = reward.points
    day.version += 1
    await records.move(tx, caller, day, DayState.published, MOVES, RedemptionDayWrongState)
    return await _detail(tx, caller, day)


async def organized(tx: Session, caller: UUID, day_id: UUID) -> RedemptionDay:
    """Lock and return a day that the caller organizes. Raises RedemptionDayNotFound."""
    return await records.locked(
        tx, RedemptionDay, day_id, caller, people.ORGANIZERS, RedemptionDayNotFound
    )


async def _merchant(tx: Session, org_id: UUID, merchant_id: UUID) -> Merchant:
    """Return the merchant of a day. Raises Invalid unless it is of the organisation."""
    merchant = await merchant_queries.find(tx, merchant_id)
    if merchant is None or merchant.org_id != org_id:
        raise invalid("body.merchant_id", "不是本组织的商户", "no merchant of the organisation")
    return merchant


async def _fill(
    tx: Session, day: RedemptionDay, merchant: Merchant, body: RedemptionDayEditIn
) -> None:
    """Write items, slots and counters. Raises Invalid for rewards of other merchants."""
    found = await reward_queries.find_many(tx, [one.reward_id for one in body.items])
    prices = {one.id: one.points for one in found if one.merchant_id == merchant.id}
    if len(prices) < len(body.items):
        raise invalid(
            "body.items", "含有不属于该商户的兑换品", "holds a reward of another merchant"
        )
    items = [
        DayItem(
            id=new_id(),
            day_id=day.id,
            points=prices[one.reward_id],
            remaining=one.stock,
            **one.model_dump(),
        )
        for one in body.items
    ]
    slots = [DaySlot(id=new_id(), day_id=day.id, **one.model_dump()) for one in body.slots]
    counters = [DayCounter(id=new_id(), day_id=day.id, name=name) for name in body.counters]
    await queries.replace(tx, day.id, *items, *slots, *counters)


async def _detail(tx: Session, caller: UUID, day: RedemptionDay) -> RedemptionDayDetailOut:
    return await reading.detail(tx, day, caller)


async def move_stock(
    tx: Session, caller: UUID, day_id: UUID, item_id: UUID, body: DayMovementIn
) -> DayMovedOut:
    """Add to what is left of an item, or take from it.

    Raises RedemptionDayNotFound, RedemptionDayWrongState, DayItemNotFound, Invalid (0 pieces),
    DaySoldOut (fewer are left).
    """
    day = await organized(tx, caller, day_id)
    if day.state != DayState.published:
        raise RedemptionDayWrongState(status=day.state)
    if await queries.item(tx, day_id, item_id) is None:
        raise DayItemNotFound
    if body.quantity == 0:
        raise invalid("body.quantity", "不能为零", "must not be 0")
    before = (await queries.lock_item(tx, item_id)).remaining
    if not await queries.take(tx, item_id, -body.quantity):
        raise DaySoldOut(stock_left=before)
    made = DayMovement(
        id=new_id(), org_id=day.org_id, created_by=caller, item_id=item_id, **body.model_dump()
    )
    await records.create(tx, caller, made, **audit.about("redemption_day", day.id))
    return DayMovedOut(**made.model_dump(), before=before, after=before + body.quantity)


async def add_steward(
    tx: Session, caller: UUID, day_id: UUID, body: StewardOfDayIn, guesses: CardGuesses
) -> StewardOfDayOut:
    """Let somebody hand over at a counter, who is not on the merchant's staff.

    Raises RedemptionDayNotFound, RedemptionDayWrongState, PersonNotFound, Invalid (the counter),
    StewardOfDayThere, and what ``guesses`` raises.
    """
    day = await organized(tx, caller, day_id)
    if day.state == DayState.closed:
        raise RedemptionDayWrongState(status=day.state)
    if body.counter_id not in {one.id for one in await queries.counters(tx, day_id)}:
        raise invalid("body.counter_id", "本场没有该柜台", "no such counter of this day")
    holders = await people.by_card(tx, [body.card_no], guesses)
    if body.card_no not in holders:
        raise PersonNotFound
    person_id = holders[body.card_no]
    there = await lists.stewards(tx, day_id)
    if person_id in {one.person_id for one, _ in there} or len(there) >= MOST_STEWARDS:
        raise StewardOfDayThere
    made = DaySteward(
        id=new_id(),
        org_id=day.org_id,
        created_by=caller,
        day_id=day_id,
        counter_id=body.counter_id,
        person_id=person_id,
    )
    about = audit.about("redemption_day", day_id)
    await records.create(tx, caller, made, **about, person=str(person_id))
    names = await people_queries.names(tx, [person_id])
    return _steward(made, names[person_id].display_name)


async def stewards(tx: Session, caller: UUID, day_id: UUID) -> Page[StewardOfDayOut]:
    """Return the stewards of a day, in one page. Raises RedemptionDayNotFound."""
    await reading.read_by_desk(tx, caller, day_id)
    found = await lists.stewards(tx, day_id)
    return Page(items=[_steward(one, name) for one, name in found])


async def remove_steward(tx: Session, caller: UUID, day_id: UUID, steward_id: UUID) -> None:
    """End a steward's right. Raises RedemptionDayNotFound, StewardOfDayNotFound."""
    await organized(tx, caller, day_id)
    found = await lists.steward(tx, day_id, steward_id)
    if found is None:
        raise StewardOfDayNotFound
    facts = audit.about("redemption_day", day_id) | {"person": str(found.person_id)}
    await audit.write(tx, caller, "deleted", found, facts=facts)
    await lists.remove(tx, found)


def _steward(one: DaySteward, name: str) -> StewardOfDayOut:
    return StewardOfDayOut(**one.model_dump(), display_name=name)
