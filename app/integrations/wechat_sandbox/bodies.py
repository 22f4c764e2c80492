"""Bodies by which tests steer the sandbox, and what WeChat asks of a message's fields."""

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

TEMPLATE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Most characters of a message's field, by its type.
LIMITS = {
    "thing": 20,
    "name": 20,
    "number": 32,
    "letter": 32,
    "symbol": 5,
    "phrase": 5,
    "character_string": 32,
    "phone_number": 17,
    "amount": 10,
    "time": 40,
    "date": 20,
}


def fits(name: str, field: object) -> bool:
    """Tell whether WeChat takes a field of a message: not empty, and not too long."""
    value = field.get("value") if isinstance(field, dict) else None
    limit = LIMITS.get(name.rstrip("0123456789"), 0)
    return isinstance(value, str) and 0 < len(value) <= limit


def _printable(text: str) -> str:
    # Cc: controls with NUL; Cs: lone surrogates, which no UTF-8 can hold.
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("no control characters or lone surrogates")
    return text


User = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]


class CodeIn(BaseModel):
    model_config = ConfigDict(extra="forbid", title="SandboxCodeIn")

    user: User


class ScriptIn(BaseModel):
    """The next ``times`` calls of a path, of one user or of anybody, answer ``errcode``."""

    model_config = ConfigDict(extra="forbid", title="SandboxScriptIn")

    path: Literal[
        "/sns/jscode2session",
        "/cgi-bin/stable_token",
        "/cgi-bin/message/subscribe/send",
        "/wxa/media_check_async",
        "/wxa/getwxacodeunlimit",
    ]
    errcode: int = Field(ge=-1, le=9_999_999)
    times: int = Field(default=1, ge=1, le=1000)
    user: User | None = None


class AcceptIn(BaseModel):
    """A user accepts a template ``times`` times, as ``wx.requestSubscribeMessage`` asks."""

    model_config = ConfigDict(extra="forbid", title="SandboxAcceptIn")

    user: User
    template_id: str = Field(pattern=TEMPLATE_ID.pattern)
    times: int = Field(default=1, ge=1, le=1000)


class AnswersIn(BaseModel):
    """What WeChat finds in every picture that waits to be checked."""

    model_config = ConfigDict(extra="forbid", title="SandboxAnswersIn")

    suggest: Literal["pass", "review", "risky"]
