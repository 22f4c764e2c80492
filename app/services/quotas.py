"""Quotas: what a person may do so many times on one Shanghai day.

They bound what a hurry, a mistake or a grudge can do before somebody notices. A refused or failed
request counts nothing, because the count is part of its transaction.
"""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, midnight
from app.core.db import Session
from app.core.errors import Refusal
from app.models.quotas import QuotaKind
from app.queries import quotas as queries


class QuotaUsed(Refusal):
    """Base of a noun's own refusal. ``opens_at``: the next midnight in Shanghai."""

    status, title = 409, "As many as one day allows"
    fact_names = ("limit", "used", "opens_at")


async def take(
    tx: Session,
    person: UUID,
    kind: QuotaKind,
    limit: int,
    at: datetime,
    refusal: type[QuotaUsed],
) -> None:
    """Count one more of the day for a person. Raises ``refusal`` if there are ``limit`` already.

    Takes a row lock: a service that locks accounts too takes the quota first.
    """
    day = local_date(at)
    if not await queries.take(tx, person, kind, day, limit):
        opens_at = midnight(day + timedelta(days=1))
        raise refusal(limit=limit, used=limit, opens_at=opens_at)
