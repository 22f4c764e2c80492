"""Check-ins."""

from fastapi import Response

from app.core.clock import now
from app.core.outcomes import single
from app.core.routes import Router
from app.deps import CODE_GUESS, RESIDENT, AppRuntime, CurrentPerson, Tongue, allow
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
async def check_in(
    body: CheckinIn,
    runtime: AppRuntime,
    person_id: CurrentPerson,
    language: Tongue,
    response: Response,
) -> CheckinResultOut:
    """Check in with the code on the screen. Again: 200 and the first result."""
    at = now()
    try:
        serial = checkins.read_code(runtime.codes, body.code, at)
    except CheckinCodeInvalid:
        # 112 bits cannot be guessed; this only ends the noise.
        (await runtime.limiter.take(CODE_GUESS, str(person_id))).enforce()
        raise
    scan = Scan(serial, person_id, body.location, language)
    recorded = single([await runtime.checkins.submit(scan)])
    if not recorded.is_new:
        response.status_code = 200
    return recorded.result
