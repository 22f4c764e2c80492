"""Uploads of what devices recorded without network (decision 0048).

An upload is settled in slices, a transaction each. It may end in the middle: whoever uploads again
gets what the first upload settled, and the rest is settled then.
"""

from asyncio import to_thread
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from app.core.bulkhead import Bulkhead
from app.core.clock import now
from app.core.db import Database, Session
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.core.ids import new_id
from app.core.offline_codes import OfflineCodes
from app.core.signed_events import Doubt, Signed, Upload, moment_of, weigh
from app.models.activities import Activity
from app.models.cards import EndedCard
from app.models.devices import Device
from app.models.scans import RecordedScan, ScanOutcome, ScanReason
from app.queries import cards as card_queries
from app.queries import scans as queries
from app.schemas.scans import MOST_GAPS, GapOut, ScanItemOut, ScansOut
from app.services import activities, devices, people
from app.services.devices import DeviceNotFound
from app.services.scans import settling, verifying
from app.services.scans.settling import Case
from app.services.scans.verifying import ReadEvent

log = structlog.get_logger(__name__)
SLICE = 200  # scans of a transaction
READ_AT_ONCE = 250  # events of a call in a thread
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events of a device as they came.

    ``activity_id``: None: of any activity near the device. ``uploaded_by``: None: the device.
    """

    device_id: UUID
    activity_id: UUID | None
    uploaded_by: UUID | None
    sent_ms: int
    events: Sequence[Signed]


@dataclass(frozen=True, slots=True)
class _Item:
    """An event of the reply: a case, or why it is not stored."""

    sequence: int | None
    found: Case | ScanReason
    is_first: bool = True


async def receive(
    database: Database, codes: OfflineCodes, uploads: Bulkhead, parcel: Parcel
) -> ScansOut:
    """Settle events, and return what became of each.

    Raises ActivityNotFound, Forbidden, DeviceNotFound, Busy.
    """
    received_at = now()
    async with database.read() as tx:
        device, path = await _admitted(tx, parcel)
    async with uploads:
        read: list[ReadEvent | ScanReason] = []
        for start in range(0, len(parcel.events), READ_AT_ONCE):
            part = parcel.events[start : start + READ_AT_ONCE]
            read += await to_thread(verifying.read, part, device.id, device.public_key, codes)
        upload = Upload(received_at, parcel.sent_ms)
        async with database.read() as tx:
            items = await _sorted(tx, device, path, parcel, upload, read)
        cases = [one.found for one in items if isinstance(one.found, Case) and one.is_first]
        for part_of in slices(cases):
            await _settle(database, device.id, part_of)
    async with database.read() as tx:
        return await _reply(tx, device.id, items)


async def _admitted(tx: Session, parcel: Parcel) -> tuple[Device, str]:
    """Return the device and the path of its organisation."""
    device, path = await devices.find(tx, parcel.device_id)
    if parcel.activity_id is not None:
        assert parcel.uploaded_by is not None, "the device itself names no activity"
        activity = await activities.co_organized(tx, parcel.uploaded_by, parcel.activity_id)
        if not devices.is_near(path, activity.org_path):
            raise DeviceNotFound
    return device, path


async def _sorted(
    tx: Session,
    device: Device,
    path: str,
    parcel: Parcel,
    upload: Upload,
    read: Sequence[ReadEvent | ScanReason],
) -> list[_Item]:
    """Return an item for each event; a text that is there twice has one case."""
    events = [one for one in read if isinstance(one, ReadEvent)]
    near = await queries.activities(tx, {one.event.activity for one in events})
    near = {
        serial: one
        for serial, one in near.items()
        if devices.is_near(path, one.org_path) and parcel.activity_id in (None, one.id)
    }
    serials = sorted({one.card for one in events if one.card})
    context = _Context(
        device,
        parcel.uploaded_by,
        upload,
        near,
        await queries.sessions(tx, {one.id for one in near.values()}),
        await card_queries.holders(tx, serials),
        await card_queries.ended_by_serial(tx, serials),
        {
            account
            for steward in {device.created_by, parcel.uploaded_by or device.created_by}
            for account in await people.own(tx, steward)
        },
    )
    cases: dict[tuple[int, bytes], Case] = {}
    items = []
    for one in read:
        if isinstance(one, ScanReason):
            items.append(_Item(None, one))
            continue
        key = (one.event.sequence, one.digest)
        is_first = key not in cases
        found = cases.get(key) or context.case(one)
        if isinstance(found, Case):
            cases[key] = found
        items.append(_Item(one.event.sequence, found, is_first))
    return items


@dataclass(frozen=True, slots=True)
class _Context:
    """What scans are compared with before they are settled.

    ``activities``: by serial; ``holders``: of cards, and ``ended`` numbers, by serial;
    ``stewards``: accounts and children of who uploads and of who registered the device.
    """

    device: Device
    uploaded_by: UUID | None
    upload: Upload
    activities: dict[int, Activity]
    sessions: set[tuple[UUID, int]]
    holders: dict[int, UUID]
    ended: dict[int, EndedCard]
    stewards: set[UUID]

    def case(self, read: ReadEvent) -> Case | ScanReason:
        """Return the case of an event, or why it is not stored."""
        event, device = read.event, self.device
        happened_at = weigh(
            event, self.upload, revoked_at=device.revoked_at, last_sequence=device.last_sequence
        )
        if isinstance(happened_at, Doubt):
            return ScanReason(happened_at)
        activity = self.activities.get(event.activity)
        if activity is None:
            return ScanReason.other_activity
        asked = RecordedScan(
            id=new_id(),
            device_id=device.id,
            sequence=event.sequence,
            digest=read.digest,
            activity_id=activity.id,
            session=event.session,
            action=event.action,
            by_code=event.code is not None,
            person_id=self._holder(read.card, happened_at),
            recorded_at=moment_of(event.clock_ms),
            happened_at=happened_at,
            received_at=self.upload.received_at,
            uploaded_by=self.uploaded_by,
            outcome=ScanOutcome.refused,
        )
        asked.reason = self._doubt(activity, asked, read)
        return Case(activity, asked, settling.position_of(event))

    def _holder(self, card: int | None, at: datetime) -> UUID | None:
        """Return whose card it was then: a number that ended later was still the holder's."""
        if card is None:
            return None
        ended = self.ended.get(card)
        if ended is not None:
            return ended.person_id if at < ended.ended_at else None
        return self.holders.get(card)

    def _doubt(self, activity: Activity, asked: RecordedScan, read: ReadEvent) -> ScanReason | None:
        if asked.session and (activity.id, asked.session) not in self.sessions:
            return ScanReason.no_session
        if read.doubt is not None:
            return read.doubt
        if asked.person_id is None:
            return ScanReason.card_unknown
        return ScanReason.own_card if asked.person_id in self.stewards else None


def slices(cases: Sequence[Case]) -> Iterator[list[Case]]:
    """Yield the cases in slices, by the time of each person's first, no person in two of them.

    A presence that ended in one transaction and began in another could be closed as forgotten
    between the two.
    """
    by_person: dict[UUID, list[Case]] = {}
    for one in sorted(cases, key=lambda one: one.asked.happened_at):
        by_person.setdefault(one.asked.person_id or one.asked.id, []).append(one)
    part: list[Case] = []
    for group in by_person.values():
        if part and len(part) + len(group) > SLICE:
            yield part
            part = []
        part += group
    if part:
        yield part


async def _settle(database: Database, device_id: UUID, part: list[Case]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with database.transaction() as tx:
                await settling.settle(tx, device_id, part)
        except Retry as conflict:
            log.warning("transaction_retried", attempt=attempt, sqlstate=str(conflict))
        else:
            return
    raise Busy(retry_after=1)


async def _reply(tx: Session, device_id: UUID, items: Sequence[_Item]) -> ScansOut:
    shown = [_item(one) for one in items]
    counts = Counter(one.outcome for one in shown)
    device, _ = await devices.find(tx, device_id)
    missing, gaps = await queries.gaps(tx, device_id, MOST_GAPS)
    return ScansOut(
        items=shown,
        counted=counts[ScanOutcome.counted],
        duplicate=counts[ScanOutcome.duplicate],
        conflict=counts[ScanOutcome.conflict],
        refused=counts[ScanOutcome.refused],
        settled=sum(one.is_new for one in shown),
        last_sequence=device.last_sequence,
        missing=missing,
        gaps=[GapOut(first=first, last=last) for first, last in gaps],
    )


def _item(one: _Item) -> ScanItemOut:
    if isinstance(one.found, ScanReason):
        return ScanItemOut(
            sequence=one.sequence, outcome=ScanOutcome.refused, reason=one.found, is_new=False
        )
    scan = one.found.scan
    return ScanItemOut(
        sequence=one.sequence,
        outcome=ScanOutcome(scan.outcome),
        reason=ScanReason(scan.reason) if scan.reason else None,
        is_new=one.found.is_new and one.is_first,
    )
