"""Check-ins."""

from fastapi import Request, Response

from app.api.access import RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.guesses import CODE_GUESS, Guess
from app.api.operations import direct, leads_to, naturally_idempotent
from app.api.routes import Router
from app.core.clock import now
from app.core.errors import unwrap
from app.core.language import Bilingual
from app.schemas.checkins import CheckinIn, CheckinResultOut
from app.services import checkins
from app.services.activities import ActivityNotOpen
from app.services.checkins import (
    CheckinCodeExpired,
    CheckinCodeInvalid,
    OutsideWindow,
    Scan,
)
from app.services.signups import NotSignedUp

ABOUT = Bilingual(
    "签到：扫描现场二维码，发放积分与时长",
    "Check-ins: the code on the screen becomes points and hours",
)
router = Router(tags=["checkins"], about=ABOUT)


@router.post(
    "/checkins",
    status_code=201,
    operation_id="checkIn",
    **allow(
        RESIDENT,
        CheckinCodeInvalid,
        CheckinCodeExpired,
        ActivityNotOpen,
        OutsideWindow,
        NotSignedUp,
        body=True,
        guess=Guess(CODE_GUESS, CheckinCodeInvalid, signed=True),
    ),
)
@leads_to("reverseTransfer", {"transfer_id": "award/id"})
@naturally_idempotent
@direct
async def check_in(body: CheckinIn, request: Request, response: Response) -> CheckinResultOut:
    """Check in with the code on the screen. A repeat returns 200 and the first result."""
    runtime, person_id = runtime_of(request), person_of(request)
    serial = checkins.read_code(runtime.codes, body.code, now())
    # The code is verified before a transaction is opened.
    scan = Scan(serial, person_id, body.location)
    recorded = unwrap([await runtime.checkins.submit(scan)])
    if not recorded.is_new:
        response.status_code = 200
    return recorded.result
