"""The code of a reservation, as its owner shows it at the counter; the codes of vouchers."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.keys import FieldCipher
from app.queries import redemptions as queries
from app.schemas.voucher_codes import VoucherCodesOut
from app.services import voucher_codes
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


async def vouchers(
    tx: Session, cipher: FieldCipher, person_id: UUID, redemption_id: UUID
) -> VoucherCodesOut:
    """Return the voucher codes of the caller's redemption. Raises RedemptionNotFound."""
    if await queries.find_own(tx, redemption_id, person_id) is None:
        raise reservations.RedemptionNotFound
    return await voucher_codes.show(tx, cipher, redemption_id)
