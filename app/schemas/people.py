"""API schemas of people and logins."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.base import In, Out, Text


class PersonOut(Out):
    id: UUID
    display_name: str


class WechatLoginIn(In):
    """``code``: the result of ``wx.login``, valid for 5 minutes, once."""

    code: Annotated[Text, Field(min_length=1, max_length=256)]


class RefreshIn(In):
    refresh_token: Annotated[Text, Field(min_length=1, max_length=256)]


class LoginOut(Out):
    """``expires_in``: lifetime of the access token in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a scheme, not a secret
    expires_in: int
    refresh_token: str
    person: PersonOut
    is_new: bool
