"""Check-outs."""

from fastapi import Request, Response

from app.api.access import RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.guesses import CHECKIN_GUESS, Guess
from app.api.operations import direct, naturally_idempotent
from app.api.routes import Router
from app.core.clock import now
from app.core.errors import unwrap
from app.core.language import Bilingual
from app.core.rotating_codes import Action
from app.schemas.checkouts import CheckoutIn, CheckoutResultOut
from app.services import checkin_codes
from app.services.activities import ActivityNotOpen, CheckoutNotAsked
from app.services.checkin_codes import CheckinCodeExpired, CheckinCodeInvalid, CodeOfCheckin
from app.services.checkouts import CheckoutOver, Leave, NotCheckedIn
from app.services.corrections import CheckinAnnulled

ABOUT = Bilingual(
    "签退：扫描签退码，按在场时间发放积分与时长",
    "Check-outs: the time since the check-in becomes points and hours",
)
router = Router(tags=["checkouts"], about=ABOUT)


@router.post(
    "/checkouts",
    status_code=201,
    operation_id="checkOut",
    **allow(
        RESIDENT,
        CheckinCodeInvalid,
        CheckinCodeExpired,
        CodeOfCheckin,
        ActivityNotOpen,
        CheckoutNotAsked,
        NotCheckedIn,
        CheckinAnnulled,
        CheckoutOver,
        body=True,
        guess=Guess(CHECKIN_GUESS, CheckinCodeInvalid, signed=True),
    ),
)
@naturally_idempotent
@direct
async def check_out(body: CheckoutIn, request: Request, response: Response) -> CheckoutResultOut:
    """Check out with the code on the screen. A repeat returns 200 and the first result."""
    runtime, person_id = runtime_of(request), person_of(request)
    serial = checkin_codes.read_screen(runtime.codes, body.code, Action.check_out, now())
    left = unwrap([await runtime.checkouts.submit(Leave(serial, person_id))])
    if not left.is_new:
        response.status_code = 200
    return left.result
