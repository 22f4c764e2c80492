"""The code of a reservation, as its owner shows it at the counter."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.queries import redemptions as queries
from app.services.redemptions import reservations


async def mine(tx: Session, person_id: UUID, redemption_id: UUID) -> str:
    """Return the code of the caller's reservation.

    Raises RedemptionNotFound, RedemptionNotReserved.
    """
    redemption = await queries.find_own(tx, redemption_id, person_id)
    if redemption is None:
        raise reservations.RedemptionNotFound
    reservations.require_reserved(redemption, now())
    return redemption.pickup_code
