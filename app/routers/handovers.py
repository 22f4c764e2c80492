"""Hand-overs (接送交接) at the door of a class."""

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import Cipher, CurrentPerson, PageQuery, Reader, Tx
from app.api.guesses import CODE_GUESS, Guess, HandoverGuesses
from app.api.operations import no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.handovers import (
    ChildHandoverOut,
    HandoverCodeIn,
    HandoverCodeOut,
    HandoverIn,
    HandoverOut,
)
from app.services import handovers
from app.services.activities import ActivityNotFound
from app.services.cards import CardSuspended
from app.services.checkouts import NotCheckedIn
from app.services.children import ChildNotFound, PickupNotFound
from app.services.handovers import (
    AlreadyHandedOver,
    HandoverCodeExpired,
    HandoverCodeInvalid,
    HandoverCodeUsed,
    MayNotLeaveAlone,
    NotNamed,
    OwnChild,
)
from app.services.people import Forbidden, PersonNotFound
from app.services.redemptions.card_codes import CardCodeInvalid, CardCodeUsed
from app.services.sessions import SessionNotFound
from app.services.signup_terms import NotAClass
from app.services.signups import SignupNotFound

ABOUT = Bilingual(
    "接送交接：凭监护人或接送人的码接走孩子",
    "Hand-overs: a child leaves a class with the guardian or a named person",
)
router = Router(tags=["handovers"], about=ABOUT)


@router.post(
    "/me/children/{child_id}/handover-codes",
    status_code=201,
    operation_id="makeHandoverCode",
    **allow(RESIDENT, ChildNotFound, PickupNotFound, SignupNotFound, SessionNotFound, body=True),
)
@no_store
async def make_handover_code(
    child_id: PathId, body: HandoverCodeIn, tx: Tx, cipher: Cipher, person_id: CurrentPerson
) -> HandoverCodeOut:
    """Make a code with which a named person without the app fetches the child, once, today.

    It takes the place of an earlier one for the same person and session.
    """
    return await handovers.make_code(tx, cipher, person_id, child_id, body)


@router.get(
    "/me/children/{child_id}/handovers",
    operation_id="listChildHandovers",
    **allow(RESIDENT, ChildNotFound),
)
async def list_child_handovers(
    child_id: PathId, tx: Reader, cipher: Cipher, person_id: CurrentPerson, page: PageQuery
) -> Page[ChildHandoverOut]:
    """Return who fetched the child from which class, newest first."""
    return await handovers.list_of_child(tx, cipher, person_id, child_id, page)


exports.beside(router, list_child_handovers, Bilingual("接送记录", "Hand-overs"))


@router.post(
    "/activities/{activity_id}/handovers",
    status_code=201,
    operation_id="handOver",
    **allow(
        RESIDENT,
        ActivityNotFound,
        Forbidden,
        NotAClass,
        PersonNotFound,
        OwnChild,
        NotCheckedIn,
        AlreadyHandedOver,
        CardCodeInvalid,
        CardCodeUsed,
        CardSuspended,
        NotNamed,
        MayNotLeaveAlone,
        HandoverCodeInvalid,
        HandoverCodeUsed,
        HandoverCodeExpired,
        body=True,
        once=True,
        guess=Guess(CODE_GUESS, CardCodeInvalid),
    ),
)
async def hand_over(
    activity_id: PathId,
    body: HandoverIn,
    tx: Tx,
    cipher: Cipher,
    person_id: CurrentPerson,
    guessing: HandoverGuesses,
) -> HandoverOut:
    """Let a child leave: with who shows a card or tells a code, or alone where that is allowed.

    For organizers and co-organizers of the class; never with oneself. Five wrong hand-over codes
    for a child are the last of the day.
    """
    return await handovers.record(tx, cipher, person_id, activity_id, body, guessing)
