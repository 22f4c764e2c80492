"""Orders of a redemption day are cancelled by their owner as any reservation, with one bar."""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.models.redemption_days import RedemptionDay
from app.models.redemptions import RedemptionStatus
from app.queries import records as record_queries
from app.queries import redemptions as queries
from app.schemas.redemptions import RedemptionOut
from app.services.ledger import moments
from app.services.redemption_days.reading import RedemptionDayNotOpen
from app.services.redemptions import reservations

# So long before a day a list of its orders is handed out, and orders stand: the evening before.
LISTED_BEFORE = timedelta(hours=24)


async def cancel(tx: Session, person_id: UUID, redemption_id: UUID) -> RedemptionOut:
    """Cancel the caller's own reservation.

    Raises RedemptionNotFound, RedemptionNotReserved, RedemptionDayNotOpen.
    """
    order = await queries.find_own(tx, redemption_id, person_id)
    waits = order is not None and order.status == RedemptionStatus.reserved
    if order is not None and waits and order.day_id is not None:
        day = await record_queries.find(tx, RedemptionDay, order.day_id)
        assert day is not None, "a foreign key"
        require_not_listed(day, await moments.moment(tx))
    return await reservations.cancel(tx, person_id, redemption_id)


def listed_from(day: RedemptionDay) -> datetime:
    """Return from when devices of counters without network get the list of a day's orders.

    When no more orders are taken, but not earlier than 24 hours before the day, nor later than its
    beginning. From then until ``offline_until`` orders stand as they are.
    """
    return min(max(day.closes_at, day.starts_at - LISTED_BEFORE), day.starts_at)


def require_not_listed(day: RedemptionDay, at: datetime) -> None:
    """Raise RedemptionDayNotOpen while a device may have the order on its list.

    Whether it handed the goods over is not known before the upload: who cancels meanwhile would
    keep both goods and points.
    """
    if day.offline_until is not None and listed_from(day) <= at < day.offline_until:
        raise RedemptionDayNotOpen(opens_at=day.opens_at, closes_at=listed_from(day))
