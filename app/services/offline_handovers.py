"""Counters of redemption days without network: sealed lists of orders, signed hand-overs.

An upload is one transaction of at most 100 events: whoever lost the reply uploads again, and each
event is settled once (as decision 0048).
"""

from collections import Counter as Tally
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from app.core import base64url, sealed_counter_lists, signed_handovers
from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.paging import Page, PageParams, by_id
from app.core.sealed_counter_lists import Waiting, check_of
from app.core.signed_events import Doubt, Flaw, Signed, Upload, moment_of, weigh
from app.core.signed_handovers import HandOver
from app.models.devices import Device, DeviceState
from app.models.ledger import Purpose
from app.models.offline_handovers import HandOverOutcome as Outcome
from app.models.offline_handovers import HandOverReason as Reason
from app.models.offline_handovers import OfflineHandOver
from app.models.redemption_days import RedemptionDay
from app.models.redemptions import Redemption, RedemptionStatus
from app.queries import offline_handovers as queries
from app.queries import people as people_queries
from app.queries import scans as scan_queries
from app.schemas.offline_handovers import (
    CounterListOut,
    HandOverItemOut,
    HandOversOut,
    HandOverUploadIn,
    OfflineHandOverOut,
)
from app.services import audit, devices, orgs, people
from app.services.cards import CardSuspended
from app.services.day_orders import cancelling, counters, ordering
from app.services.day_orders.counters import Counter
from app.services.devices import DeviceNotFound, DeviceWrongState
from app.services.ledger import moments, posting
from app.services.ledger.types import AccountKey
from app.services.policies import history
from app.services.redemption_days import reading
from app.services.rosters import NoRosterKey, RosterTooLarge

MOST = 5000  # orders of a list


class OfflineNotOffered(Refusal):
    code, status, title = "offline_handovers.not_offered", 409, "Not without network"
    zh, en = "本场柜台未开启离线模式", "The counters of this day do not work without network."


async def counter_list(tx: Session, caller: UUID, day_id: UUID, device_id: UUID) -> CounterListOut:
    """Return the orders that wait, encrypted for a device; the reading is on record.

    Raises as ``counters.serving``, OfflineNotOffered, RedemptionDayNotOpen (orders can still be
    cancelled, or the day is over), DeviceNotFound, DeviceWrongState, NoRosterKey, RosterTooLarge.
    """
    counter = await counters.serving(tx, caller, day_id)
    until, opens_at = _offered(counter.day), cancelling.listed_from(counter.day)
    if refusal := reading.not_open(opens_at, until, await moments.moment(tx)):
        raise refusal
    device = await _device(tx, counter.day, device_id)
    if device.state != DeviceState.active:
        raise DeviceWrongState(status=device.state)
    if device.roster_key is None:
        raise NoRosterKey
    rows = await queries.waiting(tx, day_id, MOST + 1)
    if len(rows) > MOST:
        raise RosterTooLarge
    orders = [
        Waiting(
            order=str(row.id),
            code=check_of(day_id, row.pickup_code),
            card=row.serial,
            name=people.masked(row.display_name),
            reward=row.reward,
            shelf=row.shelf,
            quantity=row.quantity,
        )
        for row in rows
    ]
    facts = audit.about("device", device.id) | {"list": "counter_list", "rows": len(orders)}
    await audit.write(tx, caller, "viewed", counter.day, facts=facts)
    sealed = sealed_counter_lists.seal(device.roster_key, device.id, day_id, orders)
    return CounterListOut(
        device_id=device.id,
        day_id=day_id,
        orders=len(orders),
        sealed=base64url.encode(sealed),
        upload_until=until,
    )


def _offered(day: RedemptionDay) -> datetime:
    if day.offline_until is None:
        raise OfflineNotOffered
    return day.offline_until


async def _device(tx: Session, day: RedemptionDay, device_id: UUID) -> Device:
    """Return a device of the day's organisation, above it or below it. Raises DeviceNotFound."""
    device, path = await devices.find(tx, device_id)
    if not devices.is_near(path, (await orgs.get(tx, day.org_id)).path):
        raise DeviceNotFound
    return device


@dataclass(slots=True)
class _Case:
    """An event: not stored for a reason, or a row; ``is_new``: it is settled by this upload."""

    sequence: int | None
    reason: Reason | None = None
    row: OfflineHandOver | None = None
    is_new: bool = False


@dataclass(slots=True)
class _Parcel:
    """What events are compared with."""

    counter: Counter
    device: Device
    upload: Upload
    stored: dict[tuple[int, bytes], OfflineHandOver]
    first: set[int]  # sequences that are taken
    cases: list[_Case] = field(default_factory=list)

    def add(self, text: str, read: HandOver | Flaw) -> None:
        """Add the case of an event; a text that is there twice has one row."""
        if isinstance(read, Flaw):
            self.cases.append(_Case(None, Reason(read)))
            return
        key = (read.sequence, sha256(text.encode()).digest())
        if key in self.stored:
            self.cases.append(_Case(read.sequence, row=self.stored[key]))
            return
        happened_at = weigh(
            read,
            self.upload,
            revoked_at=self.device.revoked_at,
            last_sequence=read.sequence,  # gaps are the scans': events of check-ins share numbers
        )
        if isinstance(happened_at, Doubt) or read.day != self.counter.day.id:
            doubt = Reason(happened_at) if isinstance(happened_at, Doubt) else Reason.other_day
            self.cases.append(_Case(read.sequence, doubt))
            return
        row = OfflineHandOver(
            id=new_id(),
            day_id=read.day,
            device_id=self.device.id,
            sequence=read.sequence,
            digest=key[1],
            redemption_id=read.order,
            recorded_at=moment_of(read.clock_ms),
            happened_at=happened_at,
            received_at=self.upload.received_at,
            uploaded_by=self.counter.server,
            outcome=Outcome.counted,
        )
        if read.sequence in self.first:
            _set(row, Outcome.conflict, Reason.sequence_reused)
        self.first.add(read.sequence)
        self.stored[key] = row
        self.cases.append(_Case(read.sequence, row=row, is_new=True))


async def upload(tx: Session, caller: UUID, day_id: UUID, body: HandOverUploadIn) -> HandOversOut:
    """Settle hand-overs that a device recorded, and return what became of each.

    Raises as ``counters.serving``, OfflineNotOffered, DeviceNotFound.
    """
    received_at = now()
    counter = await counters.serving(tx, caller, day_id)
    _offered(counter.day)
    found = await _device(tx, counter.day, body.device_id)
    # Of several uploads at once each event is settled by one.
    device = await scan_queries.lock_device(tx, found.id)
    signed = [Signed(one.text, one.signature) for one in body.events]
    read = signed_handovers.verify(signed, device.id, device.public_key)
    sequences = {one.sequence for one in read if isinstance(one, HandOver)}
    known = await queries.known(tx, device.id, sequences)
    parcel = _Parcel(
        counter,
        device,
        Upload(received_at, body.sent_ms),
        {(one.sequence, one.digest): one for one in known},
        {one.sequence for one in known},
    )
    for one, event in zip(signed, read, strict=True):
        parcel.add(one.text, event)
    await _settle(tx, parcel)
    items = [_item(one) for one in parcel.cases]
    return HandOversOut(
        items=items,
        counted=sum(one.outcome is Outcome.counted for one in items),
        settled=sum(one.is_new for one in items),
    )


async def _settle(tx: Session, parcel: _Parcel) -> None:
    """Settle the new rows in the order of their times, and write them."""
    rows = [one.row for one in parcel.cases if one.is_new and one.row is not None]
    if not rows:
        return
    named = {one.redemption_id for one in rows if one.redemption_id is not None}
    orders = await queries.lock_orders(tx, parcel.counter.day.id, named)
    at = await moments.moment(tx)
    await _lock_accounts(tx, parcel.counter, list(orders.values()), at)
    stewards = {
        account
        for steward in {parcel.counter.server, parcel.device.created_by}
        for account in await people_queries.family(tx, steward)
    }
    rows = _without_own(parcel, rows, {k for k, v in orders.items() if v.person_id in stewards})
    if not rows:
        return
    for row in sorted(rows, key=lambda one: one.happened_at):
        order = orders.get(row.redemption_id) if row.redemption_id is not None else None
        if order is None:
            row.redemption_id = None
        if row.reason is None:
            await _hand_over(tx, parcel.counter, row, order, at)
    await queries.save(tx, rows)
    facts = audit.about("device", parcel.device.id) | Tally(str(one.outcome) for one in rows)
    who, day = parcel.counter.server, parcel.counter.day
    await audit.write(tx, who, "handovers_settled", day, facts=facts)


def _without_own(
    parcel: _Parcel, rows: list[OfflineHandOver], own: set[UUID]
) -> list[OfflineHandOver]:
    """Refuse orders of who uploads or registered the device, unstored: a colleague may upload."""
    refused = {one.id for one in rows if one.reason is None and one.redemption_id in own}
    for case in parcel.cases:
        if case.row is not None and case.row.id in refused:
            case.row, case.reason, case.is_new = None, Reason.own_order, False
    return [one for one in rows if one.id not in refused]


async def _lock_accounts(
    tx: Session, counter: Counter, orders: list[Redemption], at: datetime
) -> None:
    """Lock the accounts of all orders in one call: a second call could deadlock."""
    policy = await history.in_force(tx, (await orgs.get(tx, counter.merchant.org_id)).path, at)
    keys = [AccountKey(one.person_id, Purpose.held, one.unit_id) for one in orders]
    payees = [ordering.payee(counter.merchant, policy, one.unit_id) for one in orders]
    await posting.lock(tx, [*keys, *payees], at)


async def _hand_over(
    tx: Session, counter: Counter, row: OfflineHandOver, order: Redemption | None, at: datetime
) -> None:
    """Collect the order, or say why not."""
    if order is None:
        _set(row, Outcome.refused, Reason.order_unknown)
    elif reading.not_open(counter.day.starts_at, counter.day.ends_at, row.happened_at):
        _set(row, Outcome.refused, Reason.outside_window)
    elif order.status == RedemptionStatus.collected:
        _set(row, Outcome.duplicate, Reason.collected_before)
    elif order.status != RedemptionStatus.reserved or order.expires_at <= at:
        _set(row, Outcome.conflict, Reason.ended_before)
    else:
        try:
            await counters.collect(tx, counter, [order], row.happened_at)
            await tx.refresh(order)  # it may be in the upload again
        except CardSuspended:
            _set(row, Outcome.refused, Reason.card_suspended)


def _set(row: OfflineHandOver, outcome: Outcome, reason: Reason) -> None:
    row.outcome, row.reason = outcome, reason


def _item(case: _Case) -> HandOverItemOut:
    outcome, reason = Outcome.refused, case.reason
    if case.row is not None:
        outcome = Outcome(case.row.outcome)
        reason = Reason(case.row.reason) if case.row.reason else None
    return HandOverItemOut(
        sequence=case.sequence, outcome=outcome, reason=reason, is_new=case.is_new
    )


async def browse(
    tx: Session, caller: UUID, day_id: UUID, asked: PageParams
) -> Page[OfflineHandOverOut]:
    """Return what devices recorded on a day, newest first. Raises RedemptionDayNotFound."""
    await reading.read_by_desk(tx, caller, day_id)
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, day_id, before, limit),
        OfflineHandOverOut.model_validate,
    )
