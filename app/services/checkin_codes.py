"""Codes of check-ins: what the organizer's screen shows, and what was scanned says."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from app.core import rotating_codes, scanned
from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.poster_codes import PosterCodeInvalid, PosterCodes, PosterKind
from app.core.rotating_codes import Action, RotatingCode, RotatingCodes
from app.models.activities import ActivityStatus
from app.queries import activities as queries
from app.schemas.checkins import CheckinCodeOut, CodeAction
from app.services import activities, audit


class CheckinCodeInvalid(Refusal):
    """A code that is forged, of another purpose or key, of no activity, or from the future.

    Of a poster also one that was replaced.
    """

    code, status, title = "checkins.code_invalid", 422, "Code invalid"
    zh, en = "签到码无效，请扫描现场屏幕上的二维码", "This is not a valid check-in code."


class CheckinCodeExpired(Refusal):
    code, status, title = "checkins.code_expired", 422, "Code expired"
    zh, en = "签到码已过期，请重新扫描", "This code has expired; scan the screen again."


class CodeOfCheckin(Refusal):
    """A screen's code is right, but it is for who comes: no guess."""

    code, status, title = "checkouts.checkin_code", 422, "Code for checking in"
    zh, en = "这是签到码，请扫描签退码", "This code is for checking in; scan the one for leaving."


class CodeOfCheckout(Refusal):
    """A screen's code is right, but it is for who leaves: no guess."""

    code, status, title = "checkins.checkout_code", 422, "Code for checking out"
    zh, en = "这是签退码，请扫描签到码", "This code is for checking out; scan the one for coming."


OF_THE_OTHER = {Action.check_in: CodeOfCheckout, Action.check_out: CodeOfCheckin}


class Read(NamedTuple):
    """``serial``: of the activity. ``issue``: of its poster; None: a screen showed the code."""

    serial: int
    issue: int | None = None


def read(codes: RotatingCodes, posters: PosterCodes, text: str, at: datetime) -> Read:
    """Verify a code without a look-up.

    A screen's first, which most are: it costs one HMAC. The two are signed under keys of their
    own. Raises CheckinCodeInvalid or CheckinCodeExpired, CodeOfCheckout.
    """
    try:
        return Read(read_screen(codes, text, Action.check_in, at))
    except CheckinCodeInvalid:
        try:
            return Read(*posters.check(text, PosterKind.activity))
        except PosterCodeInvalid:
            raise CheckinCodeInvalid from None


def read_screen(codes: RotatingCodes, text: str, action: Action, at: datetime) -> int:
    """Verify a screen's code of an action; return the serial of its activity.

    Raises CheckinCodeInvalid or CheckinCodeExpired, OF_THE_OTHER.
    """
    try:
        return codes.check(text, action, at.timestamp())
    except rotating_codes.CodeExpired:
        raise CheckinCodeExpired from None
    except rotating_codes.OtherAction:
        raise OF_THE_OTHER[action] from None
    except rotating_codes.CodeInvalid:
        raise CheckinCodeInvalid from None


async def show(
    tx: Session,
    codes: RotatingCodes,
    caller: UUID,
    activity_id: UUID,
    action: CodeAction,
    host_url: str,
) -> CheckinCodeOut:
    """Return the code for the organizer's screen; it changes every 15 s."""
    moment = now()
    code = await _code(tx, codes, caller, activity_id, action, moment)
    query = "" if action is CodeAction.check_in else f"?action={action}"
    return CheckinCodeOut(
        code=code.text,
        url=scanned.url_of(host_url, code.text),
        expires_at=datetime.fromtimestamp(code.expires_at, UTC),
        refresh_after_seconds=round(max(code.next_at - moment.timestamp(), 0.1), 1),
        svg_url=f"/api/v1/activities/{activity_id}/checkin-code.svg{query}",
    )


async def shown_text(
    tx: Session,
    codes: RotatingCodes,
    caller: UUID,
    activity_id: UUID,
    action: CodeAction,
    host_url: str,
) -> str:
    """Return what the QR picture of the code holds: a URL, which any phone's scanner opens."""
    code = await _code(tx, codes, caller, activity_id, action, now())
    return scanned.url_of(host_url, code.text)


async def _code(
    tx: Session,
    codes: RotatingCodes,
    caller: UUID,
    activity_id: UUID,
    action: CodeAction,
    moment: datetime,
) -> RotatingCode:
    activity = await activities.co_organized(tx, caller, activity_id)
    if activity.status != ActivityStatus.published:
        raise activities.ActivityNotOpen(
            status=activity.status, starts_at=activity.starts_at, ends_at=activity.ends_at
        )
    if action is CodeAction.check_out and not activity.checks_out:
        raise activities.CheckoutNotAsked
    # Points by a check-in of who shows the code wait for somebody else (decision 0009).
    if await queries.note_organizer(tx, activity_id, caller):
        await audit.write(tx, caller, "code_shown", activity)
    return codes.make(Action[action], activity.serial, moment.timestamp())
