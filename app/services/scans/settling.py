"""Settling scans: each becomes a check-in, a check-out, or a row that says why it did not."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.signed_events import Action, Event
from app.models.activities import Activity
from app.models.checkins import CheckinMethod
from app.models.checkouts import Departure
from app.models.devices import Device
from app.models.scans import RecordedScan, ScanOutcome, ScanReason
from app.queries import checkouts as checkout_queries
from app.queries import scans as queries
from app.schemas.checkins import PositionIn
from app.services import audit, checkins, checkouts
from app.services.activities import ActivityNotOpen, CheckoutNotAsked
from app.services.checkins import OutsideWindow, Recorded, Scan
from app.services.checkouts import CheckoutOver, Leave, Left, NotCheckedIn
from app.services.corrections import CheckinAnnulled
from app.services.eligibility import NotEligible
from app.services.ledger import moments
from app.services.sessions import SessionNotFound
from app.services.signup_terms import NotAClass
from app.services.signups import NotSignedUp

REASONS = {
    ActivityNotOpen.code: ScanReason.not_open,
    CheckinAnnulled.code: ScanReason.corrected_before,
    CheckoutNotAsked.code: ScanReason.checkout_not_asked,
    CheckoutOver.code: ScanReason.outside_window,
    NotAClass.code: ScanReason.not_eligible,
    NotEligible.code: ScanReason.not_eligible,
    NotCheckedIn.code: ScanReason.not_checked_in,
    NotSignedUp.code: ScanReason.not_signed_up,
    OutsideWindow.code: ScanReason.outside_window,
    SessionNotFound.code: ScanReason.no_session,
}
# A duplicate that is of so much before the check-in is told apart. Less is the time of an upload.
EARLIER = timedelta(minutes=1)
# A presence that ended in another way than by a scan: an organizer has to look at it.
CONFLICTS = {
    Departure.forgotten: ScanReason.closed_before,
    Departure.corrected: ScanReason.corrected_before,
}


@dataclass(slots=True, eq=False)
class Case:
    """A scan to be settled.

    ``asked``: the scan as it came; its reason is set if it is refused whatever the activity says.
    ``row``: the stored scan: ``asked``, or the one of an earlier upload. ``is_new``: whether it is
    settled now.
    """

    activity: Activity
    asked: RecordedScan
    position: PositionIn | None = None
    row: RecordedScan | None = None
    is_new: bool = False

    @property
    def scan(self) -> RecordedScan:
        return self.row or self.asked

    @property
    def session(self) -> int | None:
        """The session that the event names; None: the one that runs at its time."""
        return self.scan.session or None


def position_of(event: Event) -> PositionIn | None:
    place = event.place
    if place is None:
        return None
    return PositionIn(
        latitude=place.latitude / 1e6,
        longitude=place.longitude / 1e6,
        accuracy_m=place.accuracy_m,
        coordinate_system="gcj02",
    )


async def settle(tx: Session, device_id: UUID, cases: Sequence[Case]) -> None:
    """Settle scans of a device, those of a person in the order of their times.

    Locks the device, so that of several uploads at once each scan is settled by one.
    """
    device = await queries.lock_device(tx, device_id)
    open_ones = await _unsettled(tx, device_id, cases)
    await _settle_in_turns(tx, device, open_ones)
    settled = [one for one in cases if one.is_new]
    await _refer(tx, [one.scan for one in open_ones])
    await queries.save(tx, [one.asked for one in settled if one.row is None])
    device.last_seen_at = max(one.asked.received_at for one in cases)
    device.last_sequence = max(device.last_sequence, *(one.asked.sequence for one in cases))
    await tx.flush()
    if settled:
        facts = Counter(str(one.scan.outcome) for one in settled)
        await audit.write(tx, cases[0].asked.uploaded_by, "scans_settled", device, facts=facts)


async def _unsettled(tx: Session, device_id: UUID, cases: Sequence[Case]) -> list[Case]:
    """Return the cases that have to be settled; the others are settled, or refused here."""
    stored = await queries.known(tx, device_id, {one.asked.sequence for one in cases})
    by_text = {(one.sequence, one.digest): one for one in stored}
    first = {one.sequence: one for one in stored if one.reason != ScanReason.sequence_reused}
    found = []
    for one in cases:
        asked = one.asked
        one.row = by_text.get((asked.sequence, asked.digest))
        one.is_new = one.row is None
        if one.row is not None:
            if one.row.reason == ScanReason.not_checked_in:
                found.append(one)
        elif (stands := first.get(asked.sequence)) is not None:
            _set(asked, ScanOutcome.conflict, ScanReason.sequence_reused)
            asked.first_id = stands.id
        else:
            first[asked.sequence] = asked
            if asked.reason is None:
                found.append(one)
    return found


async def _settle_in_turns(tx: Session, device: Device, cases: Sequence[Case]) -> None:
    """Settle one scan of each person at a time."""
    at = await moments.moment(tx)
    queues: dict[UUID, list[Case]] = {}
    for one in sorted(cases, key=lambda one: one.scan.happened_at):
        assert one.scan.person_id is not None, "without a person it is refused before"
        queues.setdefault(one.scan.person_id, []).append(one)
    while queues:
        turn = [waiting.pop(0) for waiting in queues.values()]
        came = [one for one in turn if one.scan.action == Action.check_in]
        await _come(tx, device, came, at)
        left = [one for one in turn if one.scan.action == Action.check_out]
        await _leave(tx, device, left, at)
        await _recall(tx, came, queues)
        queues = {person: waiting for person, waiting in queues.items() if waiting}


async def _come(tx: Session, device: Device, cases: Sequence[Case], at: datetime) -> None:
    if not cases:
        return
    scans = [
        Scan(
            one.activity.serial,
            _person(one.scan),
            one.position,
            CheckinMethod.offline if one.scan.by_code else CheckinMethod.device,
            session=one.session,
            recorded_by=one.scan.uploaded_by or device.created_by,
            came_at=min(one.scan.happened_at, at),
        )
        for one in cases
    ]
    for one, outcome in zip(cases, await checkins.record(tx, scans, at), strict=True):
        if isinstance(outcome, Refusal):
            _refuse(one.scan, outcome)
        else:
            _note(one.scan, outcome, ScanReason.already_in)


async def _leave(tx: Session, device: Device, cases: Sequence[Case], at: datetime) -> None:
    """Check people out, except who had not come at that time: that check-in is still to come.

    Children leave a class by a hand-over alone (decision 0047).
    """
    for one in cases:
        if one.activity.for_minors:
            _set(one.scan, ScanOutcome.refused, ScanReason.handover_needed)
    cases = [one for one in cases if not one.activity.for_minors]
    if not cases:
        return
    asked = [(one.activity.serial, _person(one.scan), one.session) for one in cases]
    found = await checkout_queries.presences(tx, asked)
    leaving = []
    for one in cases:
        presence = found.get((one.activity.serial, _person(one.scan)))
        if presence and presence.came_at and presence.came_at > one.scan.happened_at:
            _set(one.scan, ScanOutcome.refused, ScanReason.not_checked_in)
        else:
            leaving.append(one)
    if not leaving:
        return
    leaves = [
        Leave(
            one.activity.serial,
            _person(one.scan),
            Departure.offline if one.scan.by_code else Departure.device,
            one.scan.uploaded_by or device.created_by,
            min(one.scan.happened_at, at),
            one.session,
        )
        for one in leaving
    ]
    for one, outcome in zip(leaving, await checkouts.record(tx, leaves, at), strict=True):
        if isinstance(outcome, Refusal):
            _refuse(one.scan, outcome)
        else:
            _note(one.scan, outcome, ScanReason.already_out)


async def _recall(tx: Session, came: Sequence[Case], queues: dict[UUID, list[Case]]) -> None:
    """Queue the check-outs that had arrived before these check-ins."""
    new = {
        (_person(one.scan), one.activity.id, one.scan.session): one
        for one in came
        if one.scan.outcome == ScanOutcome.counted
    }
    if not new:
        return
    queued = {one.scan.id for waiting in queues.values() for one in waiting}
    for row in await queries.waiting(tx, {person for person, _, _ in new}):
        case = new.get((_person(row), row.activity_id, row.session))
        if case is None or row.id in queued or row.happened_at < case.scan.happened_at:
            continue
        waiting = queues[_person(row)]
        waiting.append(Case(case.activity, row, row=row))
        waiting.sort(key=lambda one: one.scan.happened_at)


async def _refer(tx: Session, scans: Iterable[RecordedScan]) -> None:
    """Name the scan that each duplicate repeats, and say if it is of an earlier arrival."""
    named = [one for one in scans if one.checkin_id is not None]
    again = [one for one in named if one.outcome != ScanOutcome.counted]
    if not again:
        return
    checkin_ids = {one.checkin_id for one in again if one.checkin_id is not None}
    first = await queries.counted(tx, checkin_ids)
    first |= {
        (one.checkin_id, one.action): one.id for one in named if one.outcome == ScanOutcome.counted
    }
    came = await queries.arrivals(tx, checkin_ids)
    for one in again:
        assert one.checkin_id is not None
        one.first_id = first.get((one.checkin_id, one.action))
        earlier = came[one.checkin_id] - one.happened_at
        if one.reason == ScanReason.already_in and earlier >= EARLIER:
            one.reason = ScanReason.came_earlier


def _note(scan: RecordedScan, done: Recorded | Left, repeats: ScanReason) -> None:
    scan.checkin_id = done.result.checkin.id
    if done.is_new:
        _set(scan, ScanOutcome.counted, None)
    elif isinstance(done, Recorded) and done.is_annulled:
        _set(scan, ScanOutcome.conflict, ScanReason.corrected_before)
    elif isinstance(done, Left) and (why := CONFLICTS.get(done.result.checkin.departure)):
        _set(scan, ScanOutcome.conflict, why)
    else:
        _set(scan, ScanOutcome.duplicate, repeats)


def _refuse(scan: RecordedScan, refusal: Refusal) -> None:
    reason = REASONS[refusal.code]
    decided = reason is ScanReason.corrected_before  # against an organizer's word
    _set(scan, ScanOutcome.conflict if decided else ScanOutcome.refused, reason)


def _set(scan: RecordedScan, outcome: ScanOutcome, reason: ScanReason | None) -> None:
    scan.outcome, scan.reason = outcome, reason


def _person(scan: RecordedScan) -> UUID:
    assert scan.person_id is not None, "without a person it is refused before"
    return scan.person_id
