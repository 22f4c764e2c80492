"""What a scanned code says: the activity of a screen or of a printed poster."""

from datetime import datetime
from typing import NamedTuple

from app.core import rotating_codes
from app.core.errors import Refusal
from app.core.poster_codes import PosterCodeInvalid, PosterCodes, PosterKind
from app.core.rotating_codes import Action, RotatingCodes


class CheckinCodeInvalid(Refusal):
    """A code that is forged, of another purpose or key, of no activity, or from the future.

    Of a poster also one that was replaced.
    """

    code, status, title = "checkins.code_invalid", 422, "Code invalid"
    zh, en = "签到码无效，请扫描现场屏幕上的二维码", "This is not a valid check-in code."


class CheckinCodeExpired(Refusal):
    code, status, title = "checkins.code_expired", 422, "Code expired"
    zh, en = "签到码已过期，请重新扫描", "This code has expired; scan the screen again."


class Read(NamedTuple):
    """``serial``: of the activity. ``issue``: of its poster; None: a screen showed the code."""

    serial: int
    issue: int | None = None


def read(codes: RotatingCodes, posters: PosterCodes, text: str, at: datetime) -> Read:
    """Verify a code without a look-up.

    A screen's first, which most are: it costs one HMAC. The two are signed under keys of their
    own. Raises CheckinCodeInvalid or CheckinCodeExpired.
    """
    try:
        return Read(codes.check(text, Action.check_in, at.timestamp()))
    except rotating_codes.CodeExpired:
        raise CheckinCodeExpired from None
    except rotating_codes.CodeInvalid:
        try:
            return Read(*posters.check(text, PosterKind.activity))
        except PosterCodeInvalid:
            raise CheckinCodeInvalid from None
