"""API schemas of check-ins."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.awards.reading import AwardOut
from app.schemas.base import Code, In, Number, Out


class PositionIn(In):
    """The position reported by the phone. A signal for the organizer, not a proof."""

    latitude: Annotated[Number, Field(ge=-90, le=90)]
    longitude: Annotated[Number, Field(ge=-180, le=180)]
    accuracy_m: Annotated[Number, Field(ge=0, le=100_000)]
    coordinate_system: Literal["gcj02", "wgs84"]


class CheckinIn(In):
    """``code``: the content of the QR code, 32 characters of base64url."""

    code: Annotated[str, Code(64, hyphens=True)]
    location: PositionIn | None = None


class CheckinOut(Out):
    id: UUID
    activity_id: UUID
    checked_in_at: datetime


class BalancesOut(Out):
    available: int
    pending: int


class CheckinResultOut(Out):
    """The check-in, its award, and the balances afterwards."""

    checkin: CheckinOut
    award: AwardOut
    points: BalancesOut
