"""API schemas of check-ins."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.awards.reading import AwardOut
from app.schemas.base import ActivityId, Code, In, Number, Out, example


class PositionIn(In):
    """The position reported by the phone. A signal for the organizer, not a proof."""

    latitude: Annotated[Number, Field(ge=-90, le=90)] = Field(description="Degrees north.")
    longitude: Annotated[Number, Field(ge=-180, le=180)] = Field(description="Degrees east.")
    accuracy_m: Annotated[Number, Field(ge=0, le=100_000)] = Field(
        description="How exact the phone says it is, in metres."
    )
    coordinate_system: Literal["gcj02", "wgs84"] = Field(description="System of the two degrees.")


class CheckinIn(
    In,
    json_schema_extra=example(
        {
            "code": "q3mQ0b1YkX7sJd2uR5vTzA8wLfNcEhGi",
            "location": {
                "latitude": 32.2368,
                "longitude": 119.8267,
                "accuracy_m": 20,
                "coordinate_system": "gcj02",
            },
        }
    ),
):
    """``code``: the content of the QR code, 32 characters of base64url."""

    code: Annotated[str, Code(64, hyphens=True, urls=True)] = Field(
        description="The code, 32 characters of base64url, or the URL that the QR code holds."
    )
    location: PositionIn | None = Field(
        default=None, description="Where the phone is; null: unknown."
    )


class CheckinOut(Out):
    id: UUID = Field(description="Id of the check-in.")
    activity_id: ActivityId
    session: int = Field(description="Number of the session, from 1; 0: the activity has none.")
    checked_in_at: datetime = Field(description="When, in UTC.")


class BalancesOut(Out):
    available: int = Field(description="Points that can be spent.")
    pending: int = Field(description="Points of awards that are not released yet.")


class CheckinResultOut(Out):
    """The check-in, its award, and the balances afterwards."""

    checkin: CheckinOut = Field(description="The check-in.")
    award: AwardOut | None = Field(
        description="What it gives; null where time is paid with the check-out."
    )
    points: BalancesOut = Field(description="The caller's balances afterwards.")


class CodeAction(StrEnum):
    """What a code on the screen is for."""

    check_in = "check_in"
    check_out = "check_out"


class CheckinCodeOut(Out):
    """``code`` changes every 15 s and is accepted until ``expires_at``, 45 s at most."""

    code: str = Field(description="The code: 32 characters.")
    url: str = Field(description="What the QR code holds: a URL that ends with the code.")
    expires_at: datetime = Field(description="Until when the code is accepted, in UTC.")
    refresh_after_seconds: float = Field(
        description="Seconds after which the screen asks for the next code."
    )
    svg_url: str = Field(description="Path of the QR code as an SVG picture.")
