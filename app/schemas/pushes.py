"""What WeChat pushes to us: each event's own fields stand with the noun that acts on it."""

from pydantic import BaseModel, ConfigDict, Field


class PushedEvent(BaseModel):
    """What every event has. WeChat may add fields.

    ``CreateTime``: Unix seconds; some events may come without.
    """

    model_config = ConfigDict(extra="ignore")

    event: str = Field(alias="Event", max_length=100)
    created_at: int | None = Field(default=None, alias="CreateTime", ge=0, lt=2**40)
