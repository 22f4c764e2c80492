"""Wire shapes of hand-over notes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.base import In, Out, Text, example


class ShiftNoteIn(In, json_schema_extra=example({"text": "急救包在前台，冰袋已用完。"})):
    text: Annotated[Text, Field(max_length=1000)] = Field(
        description="What the next shift should know; plain text, lines allowed."
    )


class ShiftNoteOut(Out):
    """The note of a shift. Null fields: nothing was written yet."""

    shift_id: UUID = Field(description="Id of the shift.")
    text: str | None = Field(description="What the next shift should know; plain text.")
    is_mine: bool = Field(description="Whether the caller wrote it last.")
    written_at: datetime | None = Field(description="When it was written last, in UTC.")
