"""Certificates of series: of who attended as many sessions as complete it (decision 0044)."""

from uuid import UUID

from app.core.clock import local_date
from app.core.db import Session
from app.core.errors import Refusal
from app.queries import certificates as queries
from app.queries import people as people_queries
from app.schemas.certificates import CertificateOut
from app.services import sessions
from app.services.certificates import issuing
from app.services.ledger import moments


class SeriesIncomplete(Refusal):
    """Facts: ``used``, the attended sessions, and ``limit``, those that complete the series."""

    code, status, title = "certificates.series_incomplete", 409, "Series incomplete"
    zh, en = "参加的场次不足，不能开具结业证明", "Too few sessions were attended for a certificate."
    fact_names = ("used", "limit")


async def issue(tx: Session, person_id: UUID, activity_id: UUID) -> CertificateOut:
    """Issue a certificate of a series.

    Raises ActivityNotFound, PersonNotFound, NameUnconfirmed, SeriesIncomplete, also for an activity
    that says no number of sessions; ClockWrong.
    """
    activity = await sessions.visible(tx, person_id, activity_id)
    person = await issuing.named(tx, person_id)
    family = await people_queries.family(tx, person_id)
    attended = await queries.attended(tx, activity_id, family)
    needed = activity.minimum_attendance
    if needed is None:
        raise SeriesIncomplete(used=len(attended))
    if len(attended) < needed:
        raise SeriesIncomplete(used=len(attended), limit=needed)
    certificate = issuing.made_for(
        person,
        since=local_date(attended[0].at),
        until=local_date(attended[-1].at),
        minutes=0,
        activity_id=activity_id,
        title=activity.title,
        sessions=len(attended),
        created_at=await moments.checked_now(tx),
    )
    return await issuing.add(tx, person, certificate, sessions=len(attended))
