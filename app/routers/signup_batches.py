"""Sign-ups of a group by its leader."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Tx
from app.api.guesses import CardGuesses
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.signup_batches import SignupBatchIn, SignupBatchOut
from app.services import signup_batches
from app.services.activities import ActivityNotFound
from app.services.people import Forbidden

ABOUT = Bilingual("集体报名", "Signing up a group")
router = Router(tags=["signup_batches"], about=ABOUT)


@router.post(
    "/activities/{activity_id}/signups/batches",
    status_code=201,
    operation_id="signUpGroup",
    **allow(RESIDENT, ActivityNotFound, Forbidden, body=True, once=True),
)
async def sign_up_group(
    activity_id: PathId,
    body: SignupBatchIn,
    tx: Tx,
    person_id: CurrentPerson,
    guesses: CardGuesses,
) -> SignupBatchOut:
    """Sign up to 200 people up by their card numbers, each with an outcome of their own.

    For organizers and co-organizers of the activity. Members get a notice, and may cancel.
    """
    return await signup_batches.sign_up(tx, person_id, activity_id, body, guesses)
