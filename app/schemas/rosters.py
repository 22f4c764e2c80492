"""Wire shapes of rosters."""

from datetime import datetime

from pydantic import Field

from app.schemas.base import ActivityId, Id, Out


class RosterOut(Out):
    """A roster that one device can read: whoever downloads it only passes it on."""

    device_id: Id = Field(description="Id of the device that can read it.")
    activity_id: ActivityId
    activity_serial: int = Field(description="Number of the activity in codes and events.")
    session: int = Field(description="Session of the activity; 0: the whole activity.")
    opens_at: datetime = Field(description="When check-in opens, in UTC.")
    closes_at: datetime = Field(description="When check-in closes, in UTC.")
    people: int = Field(description="How many people are on it.")
    sealed: str = Field(
        description="The roster, encrypted for the device, in base64url: see docs/devices.md."
    )
