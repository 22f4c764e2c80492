"""The caller's benefit card (青享卡)."""

from typing import Annotated

from fastapi import Query

from app.api.access import AUDITOR, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.cards import CodePurpose
from app.schemas.base import Nothing
from app.schemas.cards import CardCodeOut, CardCodesOut, CardOut, EndedCardOut
from app.services import card_changes, cards
from app.services.card_changes import CardWrongState, TooManyNumbers
from app.services.cards import MOST_CODES, CardNotFound, CardSuspended
from app.services.orgs import OrgNotFound
from app.services.people import PersonNotFound

ABOUT = Bilingual(
    "青享卡：本人的卡与付款码", "The benefit card of the caller, and its code for counters"
)
router = Router(tags=["cards"], about=ABOUT)
PurposeQuery = Annotated[
    CodePurpose | None, Query(description="What the code is good for; without it, for anything.")
]
CHANGE = (CardNotFound, CardWrongState)


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


@router.post(
    "/me/card/freeze",
    operation_id="freezeMyCard",
    **allow(RESIDENT, *CHANGE, body=True, once=True),
)
async def freeze_my_card(
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> CardOut:
    """Freeze the card: it reserves, collects, pays and shows nothing, and all its codes end."""
    return await card_changes.freeze(tx, person_id)


@router.post(
    "/me/card/unfreeze",
    operation_id="unfreezeMyCard",
    **allow(RESIDENT, *CHANGE, body=True, once=True),
)
async def unfreeze_my_card(
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> CardOut:
    """Let the frozen card be used again."""
    return await card_changes.unfreeze(tx, person_id)


@router.post(
    "/me/card/loss",
    operation_id="reportMyCardLost",
    **allow(RESIDENT, *CHANGE, body=True, once=True),
)
async def report_my_card_lost(
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> CardOut:
    """Report the card lost: its number is nobody's from now on, and all its codes end."""
    return await card_changes.report_loss(tx, person_id)


@router.post(
    "/me/card/replacement",
    operation_id="replaceMyCard",
    **allow(RESIDENT, *CHANGE, TooManyNumbers, body=True, once=True),
)
async def replace_my_card(
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> CardOut:
    """Replace a lost card, or one whose number others know, by one with another number."""
    return await card_changes.replace(tx, person_id)


@router.get(
    "/orgs/{org_id}/people/{person_id}/card/numbers",
    operation_id="listEndedCardNumbers",
    **allow(AUDITOR, OrgNotFound, PersonNotFound),
)
async def list_ended_card_numbers(
    org_id: PathId, person_id: PathId, tx: Tx, caller: CurrentPerson, page: PageQuery
) -> Page[EndedCardOut]:
    """Return the numbers that a person's card had, newest first. Each look is audited."""
    return await card_changes.ended_numbers(tx, caller, org_id, person_id, page)
