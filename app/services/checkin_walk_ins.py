"""Walk-ins: who checks in without a place, and who may not."""

from collections.abc import Mapping
from uuid import UUID

from app.core.db import Session
from app.models.activities import SignupFor
from app.queries.checkins import CheckinContext
from app.services import eligibility
from app.services.eligibility import NotEligible


def admits(context: CheckinContext, *, marked: bool) -> bool:
    """Whether no place is needed; ``marked``: a steward lets the person in all the same.

    In a class one is: guardians alone sign children up, and the class list has no others (0047).
    """
    return (marked or context.signup_for == SignupFor.nothing) and not context.for_minors


async def barred(tx: Session, walk_ins: Mapping[UUID, CheckinContext]) -> dict[UUID, NotEligible]:
    """Return the refusals of who is not eligible, by person.

    Whoever has a place was asked when it was given, and keeps it. Statements are spent on
    activities alone that say who is eligible.
    """
    asked = [(person, one) for person, one in walk_ins.items() if one.eligibility is not None]
    if not asked:
        return {}
    return {person: one for (person, _), one in (await eligibility.refusals(tx, asked)).items()}
