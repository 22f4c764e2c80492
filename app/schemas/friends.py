"""Wire shapes of friends: who came along with somebody, named at the door."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.models.signups import MAX_FRIEND_NAME, MOST_FRIENDS
from app.schemas.base import In, OneLine, Out, example


class FriendsIn(In, json_schema_extra=example({"names": ["李小梅", "王强"]})):
    names: Annotated[
        list[Annotated[str, OneLine(MAX_FRIEND_NAME)]], Field(max_length=MOST_FRIENDS)
    ] = Field(description="Names of the friends who came, at most as many as were signed up.")


class FriendsOut(Out):
    """The friends of a sign-up who came along."""

    checkin_id: UUID = Field(description="Id of the check-in.")
    names: list[str] = Field(description="Their names.")
    limit: int = Field(description="How many friends were signed up.")
