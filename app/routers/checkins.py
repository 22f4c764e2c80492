"""Check-ins."""

from fastapi import Request, Response

from app.api.access import CODE_GUESS, RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.operations import leads_to, naturally_idempotent
from app.api.routes import Router
from app.core.clock import now
from app.core.errors import unwrap
from app.schemas.checkins import CheckinIn, CheckinResultOut
from app.services import checkins
from app.services.activities import ActivityNotOpen
from app.services.checkins import (
    CheckinCodeExpired,
    CheckinCodeInvalid,
    NotSignedUp,
    OutsideWindow,
    Scan,
)

router = Router(tags=["checkins"])


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
    ),
)
@leads_to("reverseTransfer", {"transfer_id": "award/id"})
@naturally_idempotent
async def check_in(body: CheckinIn, request: Request, response: Response) -> CheckinResultOut:
    """Check in with the code on the screen. Again: 200 and the first result."""
    runtime, person_id = runtime_of(request), person_of(request)
    try:
        serial = checkins.read_code(runtime.codes, body.code, now())
    except CheckinCodeInvalid:
        # 112 bits cannot be guessed; this only ends the noise.
        (await runtime.limiter.take(CODE_GUESS, str(person_id))).enforce()
        raise
    # No transaction is open until the code has been verified.
    scan = Scan(serial, person_id, body.location)
    recorded = unwrap([await runtime.checkins.submit(scan)])
    if not recorded.is_new:
        response.status_code = 200
    return recorded.result
