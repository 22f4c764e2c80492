"""Redemption days as their readers see them; the refusals of all verbs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named, request_language
from app.core.paging import Page, PageParams, keyset
from app.core.validation_messages import invalid
from app.models.redemption_days import DayItem, DaySlot, DayState, RedemptionDay
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries.redemption_days import lists
from app.queries.redemption_days import orders as queries
from app.schemas.base import ReasonOut
from app.schemas.day_orders import DayOrderOut, OwnDayOrderOut, SubstituteOut
from app.schemas.redemption_days.content import (
    DayCounterOut,
    DayItemOut,
    DaySlotOut,
    OwnDayOut,
    RedemptionDayDetailOut,
    RedemptionDayOut,
)
from app.schemas.redemption_days.reports import DayPickOut
from app.services import orgs, people, records
from app.services.redemption_days import absences
from app.services.redemptions import reservations


class RedemptionDayNotFound(Refusal):
    code, status, title = "redemption_days.not_found", 404, "No such redemption day"
    zh, en = "集中兑换场次不存在", "There is no such redemption day."


class RedemptionDayWrongState(records.WrongState):
    code = "redemption_days.wrong_state"


class RedemptionDayNotOpen(Refusal):
    """Outside of the time for it: of reservations, hand-overs, walk-ins or the closing."""

    code, status, title = "redemption_days.not_open", 409, "Not the time for it"
    zh, en = "目前不在本场的办理时间内", "The day is not open for this at present."
    fact_names = ("opens_at", "closes_at")


async def shared(tx: Session, day_id: UUID) -> RedemptionDay:
    """Return a published day, which is not closed before the commit.

    Raises RedemptionDayNotFound (a draft too), RedemptionDayWrongState (it is closed).
    """
    day = await queries.share(tx, day_id)
    if day is None or day.state == DayState.draft:
        raise RedemptionDayNotFound
    if day.state != DayState.published:
        raise RedemptionDayWrongState(status=day.state)
    return day


def not_open(opens_at: datetime, closes_at: datetime, at: datetime) -> RedemptionDayNotOpen | None:
    """Return the refusal outside of a time; None within."""
    if opens_at <= at < closes_at:
        return None
    return RedemptionDayNotOpen(opens_at=opens_at, closes_at=closes_at)


async def browse(
    tx: Session, caller: UUID | None, org_id: UUID | None, state: DayState, asked: PageParams
) -> Page[RedemptionDayOut]:
    """Return the days in a state, newest first; drafts to the readers of an organisation.

    Raises OrgNotFound; for drafts Forbidden, Invalid (without an organisation).
    """
    path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    if state is DayState.draft:
        if path is None:
            raise invalid("query.org_id", "查看草稿须指定组织", "drafts are of an organisation")
        if not await people.holds(tx, caller, people.READERS, path):
            raise people.Forbidden
    query = (
        record_queries.where(RedemptionDay, state=state)
        if path is None
        else record_queries.below(RedemptionDay, path, state=state)
    )
    return await records.page(tx, query, RedemptionDay, RedemptionDayOut, asked)


async def show(tx: Session, caller: UUID | None, day_id: UUID) -> RedemptionDayDetailOut:
    """Return a day; a draft to the readers of its organisation. Raises RedemptionDayNotFound."""
    day = await record_queries.find(tx, RedemptionDay, day_id)
    if day is None:
        raise RedemptionDayNotFound
    if day.state == DayState.draft:
        org = await orgs.get(tx, day.org_id)
        if not await people.holds(tx, caller, people.READERS, org.path):
            raise RedemptionDayNotFound
    return await detail(tx, day, caller)


async def detail(tx: Session, day: RedemptionDay, caller: UUID | None) -> RedemptionDayDetailOut:
    items = await queries.items(tx, day.id)
    return RedemptionDayDetailOut(
        **day.model_dump(),
        items=[_item(item, reward) for item, reward in items],
        slots=[_slot(one) for one in await queries.slots(tx, day.id)],
        counters=[DayCounterOut.model_validate(one) for one in await queries.counters(tx, day.id)],
        mine=await _own_part(tx, day, caller) if caller is not None else None,
    )


async def _own_part(tx: Session, day: RedemptionDay, caller: UUID) -> OwnDayOut:
    family = await people_queries.family(tx, caller)
    at = now()
    refusal: Refusal | None = not_open(day.opens_at, day.closes_at, at)
    if day.state != DayState.published:
        refusal = RedemptionDayWrongState(status=day.state)
    refusal = refusal or await absences.skipped(tx, day, family, at)
    waiting = await lists.open_substitutions(tx, day.id, family)
    return OwnDayOut(
        reason=ReasonOut.of(refusal, request_language()) if refusal else None,
        orders=[
            OwnDayOrderOut.model_validate(order_out(*one, at))
            for one in await lists.own_orders(tx, day.id, family)
        ],
        substitutions=[
            SubstituteOut(**one.model_dump(), reward_name=named(reward.name, reward.name_en))
            for one, reward in waiting
        ],
    )


def order_out(order: Redemption, reward: Reward, at: datetime) -> DayOrderOut:
    shown = reservations.shown_of(order, named(reward.name, reward.name_en), at)
    return DayOrderOut.model_validate(shown)


def _item(item: DayItem, reward: Reward) -> DayItemOut:
    name = named(reward.name, reward.name_en)
    return DayItemOut(**item.model_dump(), reward_name=name, stock_left=item.remaining)


def _slot(slot: DaySlot) -> DaySlotOut:
    return DaySlotOut(**slot.model_dump(), places_left=slot.capacity - slot.taken)


async def read_by_desk(tx: Session, caller: UUID, day_id: UUID) -> RedemptionDay:
    """Return a day to the readers of its organisation, and to who hands over there.

    Raises RedemptionDayNotFound.
    """
    day = await record_queries.find(tx, RedemptionDay, day_id)
    if day is None:
        raise RedemptionDayNotFound
    org = await orgs.get(tx, day.org_id)
    reads = await people.holds(tx, caller, people.READERS, org.path)
    if not reads and not await hands_over(tx, caller, day):
        raise RedemptionDayNotFound
    return day


async def hands_over(tx: Session, caller: UUID, day: RedemptionDay) -> bool:
    """Tell whether a person is on the staff of a day's merchant, or a steward of the day."""
    if await people_queries.is_staff_of(tx, caller, day.merchant_id):
        return True
    return await lists.is_steward(tx, day.id, await people_queries.family(tx, caller))


async def org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    """Return the organisation of the day of the arguments. Raises RedemptionDayNotFound."""
    day = await record_queries.find(tx, RedemptionDay, asked["redemption_day_id"])
    if day is None:
        raise RedemptionDayNotFound
    return day.org_id


async def pick_list(
    tx: Session,
    caller: UUID,
    day_id: UUID,
    status: RedemptionStatus | None,
    asked: PageParams,
) -> Page[DayPickOut]:
    """Return the orders of a day by shelf and item. Raises RedemptionDayNotFound."""
    await read_by_desk(tx, caller, day_id)
    return await keyset(
        asked,
        (str, UUID, UUID),
        lambda after, limit: lists.pick_list(tx, day_id, status, after, limit),
        lambda row: pick(*row),
        lambda row: (row[1].shelf, row[1].id, row[0].id),
    )


def pick(
    order: Redemption, item: DayItem, reward: Reward, name: str, slot: DaySlot | None
) -> DayPickOut:
    return DayPickOut(
        **order.model_dump(include=set(DayPickOut.model_fields)),
        shelf=item.shelf,
        reward_name=named(reward.name, reward.name_en),
        display_name=people.masked(name),
        slot_starts_at=slot.starts_at if slot else None,
        slot_ends_at=slot.ends_at if slot else None,
    )
