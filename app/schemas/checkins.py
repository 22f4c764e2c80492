"""Wire shapes of check-ins."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.awards import AwardOut
from app.schemas.base import In, Number, Out, Text


class PositionIn(In):
    """Where the phone says it is. A signal for the organizer, never the proof."""

    latitude: Annotated[Number, Field(ge=-90, le=90)]
    longitude: Annotated[Number, Field(ge=-180, le=180)]
    accuracy_m: Annotated[Number, Field(ge=0, le=100_000)]
    coordinate_system: Literal["gcj02", "wgs84"]


class CheckinIn(In):
    """``code`` is what the camera read: 32 characters of base64url."""

    code: Annotated[Text, Field(min_length=1, max_length=64)]
    location: PositionIn | None = None


class CheckinOut(Out):
    id: UUID
    activity_id: UUID
    checked_in_at: datetime


class BalancesOut(Out):
    available: int
    pending: int


class CheckinResultOut(Out):
    """The check-in, what it earned, and the balances after it."""

    checkin: CheckinOut
    award: AwardOut
    points: BalancesOut
