"""SQL of attended times: what of an attendance was not counted before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlmodel import col, delete

from app.core.db import Session
from app.models.checkins import AttendedTime


class Attendance(NamedTuple):
    """A time to count for an award; empty if it starts when it ends."""

    award_id: UUID
    person_id: UUID
    is_extra: bool
    starts_at: datetime
    ends_at: datetime


# Time that pays nothing is not counted, so that it stays free for another award.
COUNT = """
WITH wanted AS (
    SELECT award_id, person_id, is_extra, tstzrange(starts_at, ends_at) AS during
    FROM unnest(CAST(:award_id AS uuid[]), CAST(:person_id AS uuid[]), CAST(:is_extra AS bool[]),
                CAST(:starts_at AS timestamptz[]), CAST(:ends_at AS timestamptz[]))
        AS k(award_id, person_id, is_extra, starts_at, ends_at)
), left_over AS (
    SELECT w.award_id, w.person_id, w.is_extra, tstzmultirange(w.during) - coalesce((
        SELECT range_agg(t.during) FROM attended_times t
        WHERE t.person_id = w.person_id AND t.is_extra = w.is_extra AND t.during && w.during
    ), '{}') AS during
    FROM wanted w
), measured AS (
    SELECT l.*, coalesce((
        SELECT sum(upper(part) - lower(part)) FROM unnest(l.during) AS part
    ), INTERVAL '0') AS length
    FROM left_over l
), counted AS (
    INSERT INTO attended_times (award_id, person_id, is_extra, during)
    SELECT award_id, person_id, is_extra, during FROM measured
    WHERE length >= CAST(:least AS interval)
)
SELECT award_id, length FROM measured
"""


async def count(
    session: Session, attendances: Sequence[Attendance], least: timedelta
) -> dict[UUID, timedelta]:
    """Count what was not counted before, if it is ``least``; return its length, by award.

    Exact only while the people's accounts are locked by this transaction; otherwise a concurrent
    count of the same time fails on the constraint. Each person once.
    """
    columns = zip(*attendances, strict=True)
    wanted = {name: list(one) for name, one in zip(Attendance._fields, columns, strict=True)}
    rows = await session.fetch(COUNT, wanted | {"least": least})
    return {row.award_id: row.length for row in rows}


async def free(session: Session, award: UUID) -> None:
    """Let the time of an award that has ended count for another."""
    await session.execute(delete(AttendedTime).where(col(AttendedTime.award_id) == award))
