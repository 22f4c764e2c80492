"""Attendance (报名与签到名单) of an activity, for its organizers."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import CardFilter, CurrentPerson, NameFilter, PageQuery, Reader, Tx
from app.api.guesses import CardGuesses
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.awards import AwardState
from app.models.signups import SignupStatus
from app.schemas.attendance import AttendeeOut, ParticipantOut, ParticipantRemovalIn
from app.schemas.signups import SignupOut
from app.services import activities, attendance
from app.services.activities import ActivityNotFound
from app.services.attendance import OwnSignup, ParticipantCheckedIn
from app.services.people import Forbidden, PersonNotFound
from app.services.signups import SignupNotFound, TooLateToCancel

ABOUT = Bilingual(
    "活动的报名与签到名单，移除报名",
    "Attendance: who signed up to an activity and who came; removing a sign-up",
)
router = Router(tags=["attendance"], about=ABOUT)
OF_ACTIVITY = "/activities/{activity_id}"
READ = allow(RESIDENT, ActivityNotFound, Forbidden, PersonNotFound)


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return await activities.org_of(tx, asked["activity_id"])


@router.get(OF_ACTIVITY + "/signups", operation_id="listActivitySignups", **READ)
@leads_to("removeSignup", {"signup_id": "items/0/id"})
async def list_activity_signups(
    activity_id: PathId,
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    guesses: CardGuesses,
    status: Annotated[SignupStatus | None, Query(description="Only in this state.")] = None,
    q: NameFilter = None,
    card_no: CardFilter = None,
) -> Page[ParticipantOut]:
    """Return who signed up, in the order of the sign-ups; cancelled ones with their ``status``.

    For organizers and co-organizers of the activity, and auditors, for whom names are masked;
    they search by card number alone.
    """
    return await attendance.list_signups(
        tx, person_id, activity_id, status, q, card_no, guesses, page
    )


exports.beside(
    router,
    list_activity_signups,
    Bilingual("报名名单", "Sign-ups"),
    org=_org_of,
)


@router.get(OF_ACTIVITY + "/checkins", operation_id="listActivityCheckins", **READ)
async def list_activity_checkins(
    activity_id: PathId,
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    guesses: CardGuesses,
    state: Annotated[
        AwardState | None, Query(description="Only those whose award is in this state.")
    ] = None,
    q: NameFilter = None,
    card_no: CardFilter = None,
) -> Page[AttendeeOut]:
    """Return who checked in, in the order of the check-ins; ``state``: that of the award.

    For organizers and co-organizers of the activity, and auditors, for whom names are masked;
    they search by card number alone.
    """
    return await attendance.list_checkins(
        tx, person_id, activity_id, state, q, card_no, guesses, page
    )


exports.beside(
    router,
    list_activity_checkins,
    Bilingual("签到名单", "Check-ins"),
    org=_org_of,
)


@router.post(
    "/signups/{signup_id}/removal",
    operation_id="removeSignup",
    **allow(
        RESIDENT,
        Forbidden,
        SignupNotFound,
        OwnSignup,
        ParticipantCheckedIn,
        TooLateToCancel,
        body=True,
        once=True,
    ),
)
async def remove_signup(
    signup_id: PathId, body: ParticipantRemovalIn, tx: Tx, person_id: CurrentPerson
) -> SignupOut:
    """Remove somebody's sign-up with a reason, which they get; the first who waits moves up."""
    return await attendance.remove(tx, person_id, signup_id, body.reason)
