"""Wire shapes of confirmed names."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.base import In, OneLine, Out, PersonId, example


class NameConfirmationIn(In, json_schema_extra=example({"display_name": "张爱丽"})):
    display_name: Annotated[str, OneLine(40)] = Field(
        description="The name as the organizer knows it: that of the account."
    )


class NameConfirmationOut(Out):
    """A name that an organizer confirmed to be the real one."""

    person_id: PersonId
    org_id: UUID = Field(description="The community whose organizer confirmed it.")
    confirmed_by: UUID = Field(description="Id of the organizer who confirmed it.")
    created_at: datetime = Field(description="When.")
