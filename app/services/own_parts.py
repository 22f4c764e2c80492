"""What an activity is to a person: the sign-ups, and whether and why not another may be made."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import Language
from app.models.activities import ActivityStatus, SignupFor
from app.queries.browsing import Part
from app.schemas.base import ReasonOut
from app.schemas.own_parts import OwnPartOut, OwnSignupOut
from app.services import eligibility, signup_terms, waiting_lists
from app.services.eligibility import NotEligible
from app.services.signup_pauses import SignupsPaused
from app.services.waiting_lists import Room

Columns = Mapping[str, Any]  # a row of ``activities``


def of(
    row: Columns, at: datetime, part: Part, bar: Refusal | None, language: Language
) -> OwnPartOut:
    """Return the caller's part. ``bar``: what eligibility refuses; None: nothing."""
    room = Room(waiting_lists.seats_of(row))
    paused = SignupsPaused(until=part.paused_until) if part.paused_until else None
    refusal = signup_terms.refusal(room, at) or paused or bar
    own = [OwnSignupOut.model_validate(one, from_attributes=True) for one in part.signups]
    by_session = room.seats.signup_for == SignupFor.session
    may = refusal is None and (by_session or not own)
    # A sign-up counts for nothing at a cancelled activity.
    tells = by_session or not own or room.seats.status == ActivityStatus.cancelled
    return OwnPartOut(
        signup=own[0] if own else None,
        signups=own,
        checked_in_at=part.checked_in_at,
        may_sign_up=may,
        would_wait=may and (room.free() == 0 if by_session else not room.has(1)),
        reason=ReasonOut.of(refusal, language) if refusal and tells else None,
    )


async def barred(
    tx: Session, rows: Sequence[Columns], parts: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], NotEligible]:
    """Return what eligibility refuses people (person, activity)."""
    demanding = {row["id"]: row for row in rows if row["eligibility"] is not None}
    asked = [
        (person, waiting_lists.seats_of(demanding[activity]))
        for activity, person in parts
        if activity in demanding
    ]
    return await eligibility.refusals(tx, asked) if asked else {}
