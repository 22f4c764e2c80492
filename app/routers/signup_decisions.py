"""Decisions of organizers about sign-ups."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.signup_decisions import SignupDecisionIn
from app.schemas.signups import SignupOut
from app.services import signup_decisions
from app.services.activities import ActivityNotOpen
from app.services.people import Forbidden
from app.services.shift_holds import ShiftClash
from app.services.signup_decisions import OwnSignupDecided, SignupDecided
from app.services.signups import SignupNotFound

ABOUT = Bilingual("报名审核", "Approving and declining sign-ups")
router = Router(tags=["signup_decisions"], about=ABOUT)


@router.post(
    "/signups/{signup_id}/decision",
    operation_id="decideSignup",
    **allow(
        RESIDENT,
        SignupNotFound,
        Forbidden,
        OwnSignupDecided,
        SignupDecided,
        ActivityNotOpen,
        ShiftClash,
        body=True,
        once=True,
    ),
)
async def decide_signup(
    signup_id: PathId, body: SignupDecisionIn, tx: Tx, person_id: CurrentPerson
) -> SignupOut:
    """Approve a sign-up that waits for it, or decline it with a reason; the person gets a notice.

    For organizers and co-organizers of the activity.
    """
    return await signup_decisions.decide(tx, person_id, signup_id, body)
