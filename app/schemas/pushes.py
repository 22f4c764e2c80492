"""What WeChat pushes to us: each event's own fields stand with the noun that acts on it."""

from pydantic import BaseModel, ConfigDict, Field


class PushedEvent(BaseModel):
    """What every event has. WeChat may add fields."""

    model_config = ConfigDict(extra="ignore")

    event: str = Field(alias="Event", max_length=100)
