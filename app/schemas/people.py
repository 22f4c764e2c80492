"""API schemas of people and logins."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.base import In, Out, Text, example


class PersonOut(Out):
    id: UUID = Field(description="Id of the person.")
    display_name: str = Field(description="The person's own name.")


class WechatLoginIn(In, json_schema_extra=example({"code": "0f3kQm000bXyZL1Wfd100AbCdE3kQm0R"})):
    """``code``: the result of ``wx.login``, valid for 5 minutes, once."""

    code: Annotated[Text, Field(min_length=1, max_length=256)] = Field(
        description="What `wx.login` returned: valid for 5 minutes, once."
    )


class RefreshIn(
    In, json_schema_extra=example({"refresh_token": "x9Jr2vQyT0aB7cD4eF6gH8iK1lM3nO5p"})
):
    refresh_token: Annotated[Text, Field(min_length=1, max_length=256)] = Field(
        description="The newest refresh token of the login."
    )


class LoginOut(Out):
    """``expires_in``: lifetime of the access token in seconds."""

    access_token: str = Field(description="Sent as `Authorization: Bearer`; a JWT.")
    token_type: Literal["bearer"] = Field(default="bearer", description="Always `bearer`.")
    expires_in: int = Field(description="Seconds for which the access token is accepted.")
    refresh_token: str = Field(description="Opaque; exchanged once for new tokens.")
    person: PersonOut = Field(description="Who has logged in.")
    is_new: bool = Field(description="True: this login made the account.")
