"""Wire shapes of the live view: an activity as it goes on, for the screens of its organizers."""

from datetime import datetime

from pydantic import Field

from app.core.language import PersonName
from app.models.activities import ActivityStatus
from app.models.checkins import CheckinMethod
from app.schemas.base import ActivityId, Out


class LiveCountsOut(Out):
    """Annulled check-ins do not count. ``missing``: confirmed, and not checked in."""

    confirmed: int = Field(description="Sign-ups with a place.")
    waiting: int = Field(description="Sign-ups on the waiting list.")
    checked_in: int = Field(description="Check-ins.")
    checked_out: int = Field(description="Check-ins that have ended.")
    inside: int | None = Field(
        description="Who is there now; null: the activity asks for no check-out."
    )
    walk_ins: int = Field(description="Check-ins without a place.")
    missing: int = Field(description="Confirmed sign-ups without a check-in.")


class LiveSessionOut(LiveCountsOut):
    """The counts of a session. Sign-ups for the whole activity count in each of its sessions."""

    session: int = Field(description="Number of the session, from 1.")
    title: str | None = Field(description="Its title; null: none.")
    starts_at: datetime = Field(description="When it starts, in UTC.")
    ends_at: datetime = Field(description="When it ends, in UTC.")


class ArrivalOut(Out):
    display_name: PersonName = Field(description="The person's name.")
    session: int = Field(description="Which session, from 1; 0: the activity has none.")
    checked_in_at: datetime = Field(description="When the person came, in UTC.")
    method: CheckinMethod = Field(description="How the person checked in.")
    is_walk_in: bool = Field(description="Whether the person came without a place.")
    friend_names: str | None = Field(
        description="Names of the friends who came along; null: none were named."
    )


class MissingOut(Out):
    display_name: PersonName = Field(description="The person's name.")
    session: int = Field(description="Which session the sign-up is for; 0: the whole activity.")


class MaskedArrivalOut(Out):
    name: PersonName = Field(description="The person's name, masked.")
    at: datetime = Field(description="When the person came, in UTC.")


class HallViewOut(Out):
    """What a screen in the hall shows to everybody: counts, and who came last, masked."""

    checked_in: int = Field(description="Check-ins.")
    confirmed: int = Field(description="Sign-ups with a place.")
    inside: int | None = Field(
        description="Who is there now; null: the activity asks for no check-out."
    )
    waiting: int = Field(description="Sign-ups on the waiting list.")
    arrivals: list[MaskedArrivalOut] = Field(description="The last 8 check-ins, newest first.")


class LiveViewOut(LiveCountsOut):
    """The counts together, of the sessions, and who came and who is missing.

    ``sessions``: those that end less than 12 hours ago or start within 12 hours, up to 50, in
    their order; presences of other sessions count nowhere. Empty: the activity has none, or none
    of these.
    """

    activity_id: ActivityId
    status: ActivityStatus = Field(description="State of the activity.")
    sessions: list[LiveSessionOut] = Field(description="The sessions of these hours.")
    arrivals: list[ArrivalOut] = Field(description="The last 20 check-ins, newest first.")
    missing_people: list[MissingOut] = Field(
        description="The first 50 who are missing, in the order of their sign-ups."
    )
