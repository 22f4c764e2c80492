"""Who may take a shift that is given away: who could sign up to the activity."""

from datetime import datetime
from uuid import UUID

from app.core.clock import local_date, years_before
from app.core.db import Session
from app.core.errors import Refusal
from app.queries import signups as signup_queries
from app.queries import swaps as queries
from app.queries import waiting_lists as waiting_queries
from app.schemas.signup_terms import terms_of
from app.services import answers, eligibility, people, signups
from app.services.signup_terms import AnswersMissing


class TakerNotApproved(Refusal):
    """Else who was declined, or never asked, would get a place without a decision."""

    code, status, title = "swaps.not_approved", 403, "Not approved"
    zh, en = (
        "本活动报名须经审核，只有已通过者可接班",
        "Sign-ups are approved here: only who has a place at another shift may take this one.",
    )


async def require(
    tx: Session, person_id: UUID, activity_id: UUID, session: int, at: datetime
) -> None:
    """Raise SignupsPaused, NotEligible, AnswersMissing or TakerNotApproved; lock the activity."""
    seats = (await waiting_queries.lock_seats(tx, [activity_id]))[activity_id]
    key = (activity_id, session, person_id)
    born_after = years_before(local_date(at), people.LEADERBOARD_MIN_AGE)
    [found] = await signup_queries.standing(tx, [key], at, born_after)
    refused: Refusal | None = signups.personal(found)
    if refused is None and seats.eligibility is not None:
        of_rules = await eligibility.refusals(tx, [(person_id, seats)])
        refused = of_rules.get((person_id, activity_id))
    if refused is not None:
        raise refused
    if seats.has_form and await answers.missing(tx, {(activity_id, person_id)}):
        raise AnswersMissing
    if terms_of(seats.signup_terms).needs_approval and not await queries.has_place(
        tx, person_id, activity_id
    ):
        raise TakerNotApproved
