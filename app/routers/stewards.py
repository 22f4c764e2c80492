"""Stewards check others in and out."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Tx
from app.api.guesses import CODE_GUESS, CardGuesses, Guess
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.stewards import StewardedOut, StewardIn, StewardListIn, StewardListOut
from app.services import stewards
from app.services.activities import ActivityNotFound, ActivityNotOpen, CheckoutNotAsked
from app.services.cards import CardSuspended
from app.services.checkins import OutsideWindow
from app.services.checkouts import CheckoutOver, NotCheckedIn
from app.services.corrections import CheckinAnnulled
from app.services.eligibility import NotEligible
from app.services.people import Forbidden, PersonNotFound
from app.services.redemptions.card_codes import CardCodeInvalid, CardCodeUsed
from app.services.sessions import SessionNotFound
from app.services.signup_terms import NotAClass
from app.services.signups import NotSignedUp
from app.services.stewards import HandoverNeeded, OwnPresence

ABOUT = Bilingual(
    "现场登记：工作人员扫青享卡、按姓名或卡号签到签退，领队批量登记",
    "Stewards: people checked in and out by card, by name, or as a list",
)
router = Router(prefix="/activities/{activity_id}/attendance", tags=["stewards"], about=ABOUT)


@router.post(
    "",
    operation_id="recordAttendance",
    **allow(
        RESIDENT,
        ActivityNotFound,
        Forbidden,
        OwnPresence,
        HandoverNeeded,
        PersonNotFound,
        CardCodeInvalid,
        CardCodeUsed,
        CardSuspended,
        ActivityNotOpen,
        SessionNotFound,
        OutsideWindow,
        NotSignedUp,
        NotEligible,
        NotAClass,
        CheckinAnnulled,
        CheckoutNotAsked,
        NotCheckedIn,
        CheckoutOver,
        body=True,
        once=True,
        guess=Guess(CODE_GUESS, CardCodeInvalid),
    ),
)
async def record_attendance(
    activity_id: PathId,
    body: StewardIn,
    tx: Tx,
    person_id: CurrentPerson,
    guesses: CardGuesses,
) -> StewardedOut:
    """Check a person in or out by the code or number of a card, or from the list of sign-ups.

    Who has no place is checked in with `walk_in` alone, and marked so. Never oneself.
    """
    return await stewards.record(tx, person_id, activity_id, body, guesses)


@router.post(
    "/batches",
    operation_id="recordAttendanceOfMany",
    **allow(RESIDENT, ActivityNotFound, Forbidden, HandoverNeeded, body=True, once=True),
)
async def record_attendance_of_many(
    activity_id: PathId,
    body: StewardListIn,
    tx: Tx,
    person_id: CurrentPerson,
    guesses: CardGuesses,
) -> StewardListOut:
    """Check the members of a team in or out, with an outcome for each."""
    return await stewards.record_list(tx, person_id, activity_id, body, guesses)
