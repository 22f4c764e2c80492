"""Retention periods (PIPL 19: no longer than needed) of what no other job deletes.

Keys, codes, tokens and messages have periods of their own (``jobs/expiry``); so have copies of
data.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.db import Session
from app.queries import retention as queries
from app.services import verifications

# Nobody is notified twice of points that have expired.
EXPIRY_NOTICES_KEPT = timedelta(days=30)
# After their end: what each person would have earned is personal, and of no use afterwards.
SIMULATIONS_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Periods:
    """How long is kept: ``logins`` after their start, once ended; ``closures`` after erasing."""

    logins: timedelta
    closures: timedelta


async def forget(tx: Session, periods: Periods, at: datetime, limit: int) -> int:
    """Delete what is older, of logins at most ``limit``; return how many logins."""
    await queries.forget_closures(tx, at - periods.closures)
    await verifications.forget(tx, at)
    await queries.forget_simulations(tx, at - SIMULATIONS_KEPT)
    await queries.forget_expiry_notices(tx, at - EXPIRY_NOTICES_KEPT)
    return await queries.forget_logins(tx, at - periods.logins, limit)
