"""SQL of scans."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from app.core.db import Session
from app.core.signed_events import Action
from app.models.activities import Activity
from app.models.cards import Card
from app.models.checkins import Checkin
from app.models.devices import Device
from app.models.people import Person
from app.models.scans import RecordedScan, ScanOutcome, ScanReason
from app.models.sessions import ActivitySession

# A scan with the name of its device, and the person's name and card.
Reported = tuple[RecordedScan, str, str | None, int | None]
Gap = tuple[int, int]


_SAVE = """
INSERT INTO scans (id, device_id, sequence, digest, activity_id, session, action, by_code,
                   person_id, recorded_at, happened_at, received_at, uploaded_by, outcome, reason,
                   first_id, checkin_id)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:device_id AS uuid[]), CAST(:sequence AS int[]),
    CAST(:digest AS bytea[]), CAST(:activity_id AS uuid[]), CAST(:session AS int[]),
    CAST(:action AS text[]), CAST(:by_code AS bool[]), CAST(:person_id AS uuid[]),
    CAST(:recorded_at AS timestamptz[]), CAST(:happened_at AS timestamptz[]),
    CAST(:received_at AS timestamptz[]), CAST(:uploaded_by AS uuid[]), CAST(:outcome AS text[]),
    CAST(:reason AS text[]), CAST(:first_id AS uuid[]), CAST(:checkin_id AS uuid[]))
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class ScanFilter:
    outcome: ScanOutcome | None = None
    device_id: UUID | None = None


async def lock_device(session: Session, device_id: UUID) -> Device:
    """Lock a device: its uploads are settled one after the other."""
    query = select(Device).where(Device.id == device_id).with_for_update()
    return (await session.exec(query)).one()


async def activities(session: Session, serials: Collection[int]) -> dict[int, Activity]:
    """Read activities by their serials."""
    found = await session.exec(select(Activity).where(col(Activity.serial).in_(serials)))
    return {one.serial: one for one in found}


async def sessions(session: Session, activity_ids: Collection[UUID]) -> set[tuple[UUID, int]]:
    """Read the sessions of activities, as pairs of activity and number."""
    query = select(ActivitySession.activity_id, ActivitySession.number)
    return set(await session.exec(query.where(col(ActivitySession.activity_id).in_(activity_ids))))


async def known(
    session: Session, device_id: UUID, sequences: Collection[int]
) -> Sequence[RecordedScan]:
    """Read the scans of a device with these sequences."""
    query = select(RecordedScan).where(
        RecordedScan.device_id == device_id, col(RecordedScan.sequence).in_(sequences)
    )
    return (await session.exec(query)).all()


async def waiting(session: Session, people: Collection[UUID]) -> Sequence[RecordedScan]:
    """Lock check-outs of people that arrived before their check-ins, in the order of leaving."""
    query = select(RecordedScan).where(
        col(RecordedScan.person_id).in_(people),
        RecordedScan.reason == ScanReason.not_checked_in,
        RecordedScan.action == Action.check_out,
    )
    return (
        await session.exec(query.order_by(col(RecordedScan.happened_at)).with_for_update())
    ).all()


async def arrivals(session: Session, checkins: Collection[UUID]) -> dict[UUID, datetime]:
    """Read since when people were there, by check-in."""
    came = func.coalesce(col(Checkin.came_at), col(Checkin.checked_in_at))
    query = select(Checkin.id, came).where(col(Checkin.id).in_(checkins))
    return dict((await session.exec(query)).all())


async def counted(
    session: Session, checkins: Collection[UUID]
) -> dict[tuple[UUID | None, str], UUID]:
    """Read the scans that counted, by check-in and action."""
    query = select(RecordedScan.checkin_id, RecordedScan.action, RecordedScan.id).where(
        col(RecordedScan.checkin_id).in_(checkins), RecordedScan.outcome == ScanOutcome.counted
    )
    return {(checkin, action): one for checkin, action, one in await session.exec(query)}


async def save(session: Session, scans: Sequence[RecordedScan]) -> None:
    """Insert scans. The same text of a sequence is stored once."""
    if scans:
        names = RecordedScan.model_fields
        await session.fetch(_SAVE, {name: [getattr(one, name) for one in scans] for name in names})


async def gaps(session: Session, device_id: UUID, limit: int) -> tuple[int, Sequence[Gap]]:
    """Count the sequences of a device below its highest of which nothing is stored.

    Return the number, and the first and last sequence of each gap, lowest first.
    """
    of_device = select_columns(col(RecordedScan.sequence))
    of_device = of_device.where(col(RecordedScan.device_id) == device_id)
    sequences = of_device.distinct().subquery()
    before = func.lag(sequences.c.sequence, 1, 0).over(order_by=sequences.c.sequence)
    steps = select_columns(sequences.c.sequence, before.label("before")).subquery()
    found = (
        select_columns((steps.c.before + 1).label("first"), (steps.c.sequence - 1).label("last"))
        .where(steps.c.sequence > steps.c.before + 1)
        .order_by(steps.c.sequence)
        .limit(limit)
    )
    highest = func.coalesce(func.max(sequences.c.sequence), 0)
    number = (await session.execute(select_columns(highest - func.count()))).scalar_one()
    rows = (await session.execute(found)).all()
    return int(number), [(row.first, row.last) for row in rows]


async def report(
    session: Session, activity_id: UUID, wanted: ScanFilter, after: UUID | None, limit: int
) -> Sequence[Reported]:
    """Read the scans of an activity in the order in which they were settled."""
    query = (
        select(RecordedScan, Device.name, Person.display_name, Card.serial)
        .join(Device, col(Device.id) == col(RecordedScan.device_id))
        .outerjoin(Person, col(Person.id) == col(RecordedScan.person_id))
        .outerjoin(Card, col(Card.person_id) == col(RecordedScan.person_id))
        .where(RecordedScan.activity_id == activity_id)
        .order_by(col(RecordedScan.id))
        .limit(limit)
    )
    if wanted.outcome is not None:
        query = query.where(RecordedScan.outcome == wanted.outcome)
    if wanted.device_id is not None:
        query = query.where(RecordedScan.device_id == wanted.device_id)
    if after is not None:
        query = query.where(col(RecordedScan.id) > after)
    return (await session.exec(query)).all()


async def places(session: Session, ids: Collection[UUID]) -> dict[UUID, tuple[str, int]]:
    """Read the device and the sequence of scans, by their ids."""
    query = select(RecordedScan.id, Device.name, RecordedScan.sequence)
    query = query.join(Device, col(Device.id) == col(RecordedScan.device_id))
    rows = await session.exec(query.where(col(RecordedScan.id).in_(ids)))
    return {one: (name, sequence) for one, name, sequence in rows}
