"""Closing a redemption day with a reconciliation that must balance.

Compared are the goods on the shelves with stock, movements and orders; the places of slots with the
people who have them; and the points of orders with the ledger's transfers.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.core.validation_messages import invalid
from app.models.redemption_days import DayState, RedemptionDay
from app.queries import records as record_queries
from app.queries.redemption_days import figures
from app.queries.redemption_days import orders as queries
from app.schemas.redemption_days.reports import DayCloseIn, DayReportItemOut, DayReportOut
from app.services import orgs, people, records
from app.services.ledger import moments
from app.services.redemption_days.editing import MOVES, organized
from app.services.redemption_days.reading import (
    RedemptionDayNotFound,
    RedemptionDayNotOpen,
    RedemptionDayWrongState,
)

RELEASED_S = 30  # the pause of the job that ends orders


class RedemptionDayUnbalanced(Refusal):
    """What does not balance, as differences: 0 where all is well.

    ``open``: pieces that wait to be collected. ``stock``: the kept stock less what it should be.
    ``counted``: what was counted less that. ``places``: of slots. ``points``: what the ledger has
    more or less than the orders. ``shelf``: the first shelf that is wrong. ``retry_after``: orders
    have ended whose goods a job returns within so many seconds.
    """

    code, status, title = "redemption_days.unbalanced", 409, "It does not balance"
    zh, en = "账物不符，不能结账", "The day does not balance, so it cannot be closed."
    fact_names = ("open", "stock", "counted", "places", "points", "shelf", "retry_after")


async def report(tx: Session, caller: UUID, day_id: UUID) -> DayReportOut:
    """Return the reconciliation as it stands. Raises RedemptionDayNotFound."""
    day = await record_queries.find(tx, RedemptionDay, day_id)
    if day is None:
        raise RedemptionDayNotFound
    org = await orgs.get(tx, day.org_id)
    if not await people.holds(tx, caller, people.READERS, org.path):
        raise RedemptionDayNotFound
    return await _report(tx, day, {})


async def close(tx: Session, caller: UUID, day_id: UUID, body: DayCloseIn) -> DayReportOut:
    """Close a day that is over, with what was counted on the shelves; nothing changes afterwards.

    Raises RedemptionDayNotFound, RedemptionDayWrongState, RedemptionDayNotOpen (it is not over),
    Invalid (an item was not counted), RedemptionDayUnbalanced.
    """
    day = await organized(tx, caller, day_id)
    if day.state != DayState.published:
        raise RedemptionDayWrongState(status=day.state)
    at = await moments.moment(tx)
    if at < day.ends_at:
        raise RedemptionDayNotOpen(opens_at=day.ends_at, closes_at=None)
    counted = {one.item_id: one.left for one in body.counts}
    items = {item.id: item for item, _ in await queries.items(tx, day.id)}
    if counted.keys() != items.keys():
        raise invalid("body.counts", "每件奖品须清点一次", "each item is counted once")
    found = await _report(tx, day, counted)
    if not found.balances:
        ended = await figures.is_any_overdue(tx, day.id, at)
        raise _unbalanced(found, retry_after=RELEASED_S if ended else None)
    for item_id, left in counted.items():
        items[item_id].counted = left
    day.closed_at = at
    await records.move(tx, caller, day, DayState.closed, MOVES, RedemptionDayWrongState)
    return found


async def _report(tx: Session, day: RedemptionDay, counted: Mapping[UUID, int]) -> DayReportOut:
    rows = await figures.items(tx, day.id)
    points = await figures.points(tx, day.id)
    taken, expected = await figures.places(tx, day.id)
    found = DayReportOut(
        items=[_item(row, counted.get(row.item_id, row.counted)) for row in rows],
        points_reserved=points.reserved_by_orders,
        points_collected=points.collected_by_orders,
        ledger_held=points.held,
        ledger_collected=points.collected,
        ledger_returned=points.returned,
        places_taken=taken,
        people_expected=expected,
        balances=False,
    )
    return found.model_copy(update={"balances": not any(dict(_differences(found)).values())})


def _item(row: Any, counted: int | None) -> DayReportItemOut:
    out = row.collected + row.walk_ins + row.open
    return DayReportItemOut(
        **{**row._mapping, "counted": counted},
        reward_name=named(row.name, row.name_en),
        expected=row.stock + row.moved_in - row.moved_out - out,
    )


def _differences(found: DayReportOut) -> Iterator[tuple[str, int]]:
    """Yield the facts of what does not balance."""
    yield "open", sum(one.open for one in found.items)
    yield "stock", sum(abs(one.left - one.expected) for one in found.items)
    yield "counted", sum(_miscounted(one) for one in found.items)
    yield "places", abs(found.places_taken - found.people_expected)
    yield (
        "points",
        abs(found.ledger_held - found.points_reserved)
        + abs(found.ledger_collected - found.points_collected)
        + abs(found.ledger_held - found.ledger_collected - found.ledger_returned),
    )


def _miscounted(one: DayReportItemOut) -> int:
    return 0 if one.counted is None else abs(one.counted - one.expected)


def _unbalanced(found: DayReportOut, retry_after: int | None) -> RedemptionDayUnbalanced:
    wrong = (
        one.shelf for one in found.items if one.open or one.left != one.expected or _miscounted(one)
    )
    facts: dict[str, Any] = dict(_differences(found))
    return RedemptionDayUnbalanced(**facts, shelf=next(wrong, None), retry_after=retry_after)
