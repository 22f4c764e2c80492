"""Wire shapes of what an activity is to the caller."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.models.signups import SignupStatus
from app.schemas import signups
from app.schemas.base import Out, ReasonOut

VALUES = {SignupStatus: signups.VALUES[SignupStatus]}


class OwnSignupOut(Out):
    id: UUID = Field(description="What `cancelSignup` takes.")
    session: int = Field(description="Number of the session; 0: the activity as a whole.")
    status: SignupStatus = Field(description="State of the sign-up.")
    friends: int = Field(description="How many friends come along.")
    offer_until: datetime | None = Field(
        description="Until when the place is to be accepted; null: none is offered."
    )
    position: int | None = Field(description="Place in the waiting list, from 1.")


class OwnPartOut(Out):
    """What the activity is to the caller."""

    signup: OwnSignupOut | None = Field(
        description="The sign-up, unless it was cancelled; of several the first by session."
    )
    signups: list[OwnSignupOut] = Field(
        description="All sign-ups that were not cancelled, by session."
    )
    checked_in_at: datetime | None = Field(
        description="When the caller first checked in; null if not."
    )
    may_sign_up: bool = Field(description="Whether a new sign-up would be accepted now.")
    would_wait: bool = Field(description="Whether it would go to the waiting list.")
    reason: ReasonOut | None = Field(
        description="Why a sign-up would be refused; null if it may be made, or is made, and the"
        " activity was not cancelled. Of single sessions: why one to any would be."
    )
