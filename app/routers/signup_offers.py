"""Offers of places to who waits."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.signups import SignupOut
from app.services import signup_offers
from app.services.eligibility import NotEligible
from app.services.signup_offers import NoOffer, OfferOver
from app.services.signups import SignupNotFound

ABOUT = Bilingual("候补名额：限时接受", "Places offered to who waits, to be accepted in time")
router = Router(tags=["signup_offers"], about=ABOUT)


@router.post(
    "/signups/{signup_id}/acceptance",
    operation_id="acceptPlace",
    **allow(RESIDENT, SignupNotFound, NoOffer, OfferOver, NotEligible),
)
async def accept_place(signup_id: PathId, tx: Tx, person_id: CurrentPerson) -> SignupOut:
    """Accept a place that was offered to the caller; `cancelSignup` passes it on instead."""
    return await signup_offers.accept(tx, person_id, signup_id)
