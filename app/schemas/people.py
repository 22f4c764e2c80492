"""Wire shapes of a person and of a login."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from app.core.clock import local_date, now
from app.schemas.base import Day, Flag, In, OneLine, Out, Text


def _in_the_past(day: date) -> date:
    if not date(1900, 1, 1) <= day <= local_date(now()):
        raise ValueError("a birth date lies in the past")
    return day


class RoleOut(Out):
    role: str
    org_id: UUID | None
    merchant_id: UUID | None


class MeOut(Out):
    """The caller. ``shows_name``: leaderboards may show the whole name."""

    id: UUID
    display_name: str
    birth_date: date | None
    shows_name: bool
    roles: list[RoleOut]
    created_at: datetime


class MeIn(In):
    """A whole replacement: what is left out of the optional fields is forgotten."""

    display_name: Annotated[str, OneLine(40)]
    birth_date: Annotated[Day, AfterValidator(_in_the_past)] | None = None
    shows_name: Flag = False


class PersonOut(Out):
    id: UUID
    display_name: str


class WechatLoginIn(In):
    """``code`` is what ``wx.login`` gave: valid for 5 minutes, once."""

    code: Annotated[Text, Field(min_length=1, max_length=256)]


class RefreshIn(In):
    refresh_token: Annotated[Text, Field(min_length=1, max_length=256)]


class LoginOut(Out):
    """``expires_in`` is the access token's life in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a scheme, not a secret
    expires_in: int
    refresh_token: str
    person: PersonOut
    is_new: bool
