"""The caller's benefit card (青享卡)."""

from typing import Annotated

from fastapi import Query

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.language import Bilingual
from app.models.cards import CodePurpose
from app.schemas.cards import CardCodeOut, CardCodesOut, CardOut
from app.services import cards
from app.services.cards import MOST_CODES, CardNotFound, CardSuspended

ABOUT = Bilingual(
    "青享卡：本人的卡与付款码", "The benefit card of the caller, and its code for counters"
)
router = Router(tags=["cards"], about=ABOUT)
PurposeQuery = Annotated[
    CodePurpose | None, Query(description="What the code is good for; without it, for anything.")
]


@router.get("/me/card", operation_id="getMyCard", **allow(RESIDENT, CardNotFound))
async def get_my_card(tx: Reader, person_id: CurrentPerson) -> CardOut:
    """Return the card's number and tier."""
    return await cards.mine(tx, person_id)


@router.get("/me/card/code", operation_id="getMyCardCode", **allow(RESIDENT, CardSuspended))
@leads_to("charge", {"body.card_code": "code"})
@no_store
async def get_my_card_code(
    tx: Tx, person_id: CurrentPerson, purpose: PurposeQuery = None
) -> CardCodeOut:
    """Return the code for a merchant's counter: valid once, for at most a minute.

    An administrator who merges two accounts of the caller asks for it too.
    """
    return await cards.code(tx, person_id, purpose)


@router.get("/me/card/codes", operation_id="getMyCardCodes", **allow(RESIDENT, CardSuspended))
@no_store
async def get_my_card_codes(
    tx: Tx,
    person_id: CurrentPerson,
    count: Annotated[
        int, Query(ge=1, le=MOST_CODES, description="How many codes, a minute each.")
    ] = MOST_CODES,
    purpose: PurposeQuery = None,
) -> CardCodesOut:
    """Return codes for the minutes to come, for where the phone has no network.

    Each is valid once, from ``valid_from`` to ``expires_at``, by the server's clock.
    """
    return CardCodesOut(items=await cards.codes(tx, person_id, count, purpose))
