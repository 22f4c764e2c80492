"""The caller's 青享卡."""

from fastapi import Response

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.schemas.cards import CardCodeOut, CardOut
from app.services import cards
from app.services.cards import CardNotFound

router = Router(tags=["cards"])


@router.get("/me/card", operation_id="getMyCard", **allow(RESIDENT, CardNotFound))
async def get_my_card(tx: Reader, person_id: CurrentPerson) -> CardOut:
    """Return the card's number and tier."""
    return await cards.mine(tx, person_id)


@router.get("/me/card/code", operation_id="getMyCardCode", **allow(RESIDENT))
@leads_to("charge", {"body.card_code": "code"})
@no_store
async def get_my_card_code(tx: Tx, person_id: CurrentPerson, response: Response) -> CardCodeOut:
    """Return the code that a counter scans: valid once, a minute at most."""
    response.headers["Cache-Control"] = "no-store"  # it pays
    return await cards.code(tx, person_id)
