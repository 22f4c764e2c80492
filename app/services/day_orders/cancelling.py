"""Orders of a redemption day are cancelled by their owner as any reservation, with one bar."""

from datetime import datetime
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


async def cancel(tx: Session, person_id: UUID, redemption_id: UUID) -> RedemptionOut:
    """Cancel the caller's own reservation.

    Raises RedemptionNotFound, RedemptionNotReserved, RedemptionDayNotOpen.
    """
    order = await queries.find_own(tx, redemption_id, person_id)
    waits = order is not None and order.status == RedemptionStatus.reserved
    if order is not None and waits and order.day_id is not None:
        day = await record_queries.find(tx, RedemptionDay, order.day_id)
        assert day is not None, "a foreign key"
        require_not_begun(day, await moments.moment(tx))
    return await reservations.cancel(tx, person_id, redemption_id)


def require_not_begun(day: RedemptionDay, at: datetime) -> None:
    """Raise RedemptionDayNotOpen while a counter without network may have handed goods over.

    What its device recorded is not known before the upload: goods and points would both be kept.
    """
    if day.offline_until is not None and day.starts_at <= at < day.offline_until:
        raise RedemptionDayNotOpen(opens_at=day.opens_at, closes_at=day.starts_at)
