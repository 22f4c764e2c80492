"""Check-ins."""

from fastapi import Request, Response

from app.api.access import RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.guesses import CHECKIN_GUESS, Guess
from app.api.operations import direct, leads_to, naturally_idempotent
from app.api.routes import Router
from app.core.clock import now
from app.core.errors import unwrap
from app.core.language import Bilingual
from app.models.checkins import CheckinMethod
from app.schemas.checkins import CheckinIn, CheckinResultOut
from app.services import checkin_codes, checkin_devices
from app.services.activities import ActivityNotOpen
from app.services.checkin_codes import CheckinCodeExpired, CheckinCodeInvalid, CodeOfCheckout
from app.services.checkin_devices import DeviceUsed
from app.services.checkin_places import CheckinTooFar, LocationNeeded, NoPlace
from app.services.checkins import OutsideWindow, Scan
from app.services.eligibility import NotEligible
from app.services.signups import NotSignedUp

ABOUT = Bilingual(
    "签到：扫描现场二维码，发放积分与时长",
    "Check-ins: the code on the screen becomes points and hours",
)
DEVICE_TOKEN = {
    "name": checkin_devices.HEADER,
    "in": "header",
    "required": False,
    "description": "A random text that the mini-program made on this phone and keeps in its"
    " storage. At most five people check in with one a day.",
    "schema": {"type": "string", "maxLength": checkin_devices.MAX_TOKEN, "pattern": "^[ -~]+$"},
}
router = Router(tags=["checkins"], about=ABOUT)


@router.post(
    "/checkins",
    status_code=201,
    operation_id="checkIn",
    **allow(
        RESIDENT,
        CheckinCodeInvalid,
        CheckinCodeExpired,
        CodeOfCheckout,
        ActivityNotOpen,
        OutsideWindow,
        NotSignedUp,
        NotEligible,
        NoPlace,
        LocationNeeded,
        CheckinTooFar,
        DeviceUsed,
        body=True,
        headers=(DEVICE_TOKEN,),
        guess=Guess(CHECKIN_GUESS, CheckinCodeInvalid, signed=True),
    ),
)
@leads_to("reverseTransfer", {"transfer_id": "award/id"})
@naturally_idempotent
@direct
async def check_in(body: CheckinIn, request: Request, response: Response) -> CheckinResultOut:
    """Check in with the code on the screen or a poster. A repeat returns 200 and the first result.

    A poster's code needs the location too: within the radius of the activity's place and what the
    phone says of its accuracy, of which 100 metres count. Else a steward checks the person in.
    """
    runtime, person_id = runtime_of(request), person_of(request)
    # The code is verified before a transaction is opened.
    at = now()
    serial, issue = checkin_codes.read(runtime.codes, runtime.posters, body.code, at)
    if (token := request.headers.get(checkin_devices.HEADER)) is not None:
        await checkin_devices.admit(runtime.phone_users, token, person_id, at)
    method = CheckinMethod.rotating_code if issue is None else CheckinMethod.poster
    scan = Scan(serial, person_id, body.location, method, issue=issue)
    recorded = unwrap([await runtime.checkins.submit(scan)])
    if not recorded.is_new:
        response.status_code = 200
    return recorded.result
