"""Codes of vouchers: added by organizers, shown to who redeemed them."""

from app.api.access import MERCHANT_STAFF, ORGANIZER, READER, RESIDENT, allow
from app.api.deps import Cipher, CurrentPerson, CurrentStaff, Reader, Tx
from app.api.guesses import CODE_GUESS, Guess
from app.api.operations import no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.voucher_codes import (
    VoucherCodesAddedOut,
    VoucherCodesIn,
    VoucherCodesOut,
    VoucherStockOut,
    VoucherUsedOut,
    VoucherUseIn,
)
from app.services import voucher_codes
from app.services.merchants.access import MerchantSuspended
from app.services.redemptions import codes
from app.services.redemptions.reservations import RedemptionNotFound
from app.services.rewards.reading import RewardNotFound
from app.services.voucher_codes import (
    NotVoucher,
    OwnVoucher,
    VoucherCodeNotFound,
    VoucherCodeUsed,
)

ABOUT = Bilingual("兑换券的券码", "Codes of vouchers")
router = Router(tags=["voucher_codes"], about=ABOUT)


@router.post(
    "/rewards/{reward_id}/voucher-codes",
    status_code=201,
    operation_id="addVoucherCodes",
    **allow(ORGANIZER, RewardNotFound, NotVoucher, body=True, once=True),
)
async def add_voucher_codes(
    reward_id: PathId, body: VoucherCodesIn, tx: Tx, cipher: Cipher, caller: CurrentPerson
) -> VoucherCodesAddedOut:
    """Import the codes of a voucher, or generate some. From then on each piece is a code."""
    return await voucher_codes.add(tx, cipher, caller, reward_id, body)


@router.get(
    "/rewards/{reward_id}/voucher-codes",
    operation_id="getVoucherStock",
    **allow(READER, RewardNotFound),
)
async def get_voucher_stock(
    reward_id: PathId, tx: Reader, caller: CurrentPerson
) -> VoucherStockOut:
    """Return how many codes a voucher has, and how many were handed out; never the codes."""
    return await voucher_codes.stock(tx, caller, reward_id)


@router.get(
    "/redemptions/{redemption_id}/voucher-codes",
    operation_id="getMyVoucherCodes",
    **allow(RESIDENT, RedemptionNotFound),
)
@no_store
async def get_my_voucher_codes(
    redemption_id: PathId, tx: Reader, cipher: Cipher, person_id: CurrentPerson
) -> VoucherCodesOut:
    """Return the codes of the caller's redemption of a voucher."""
    return await codes.vouchers(tx, cipher, person_id, redemption_id)


@router.post(
    "/merchant/voucher-codes/use",
    operation_id="useVoucher",
    **allow(
        MERCHANT_STAFF,
        VoucherCodeNotFound,
        OwnVoucher,
        VoucherCodeUsed,
        MerchantSuspended,
        body=True,
        once=True,
        guess=Guess(CODE_GUESS, VoucherCodeNotFound),
    ),
)
async def use_voucher(
    body: VoucherUseIn, tx: Tx, cipher: Cipher, staff: CurrentStaff
) -> VoucherUsedOut:
    """Take the code of a voucher of the merchant, once; nobody takes their own."""
    return await voucher_codes.use(tx, cipher, staff, body.code)
