"""Changes of a card by its holder: freezing, its loss, its replacement; the numbers that it had."""

from typing import Annotated

from fastapi import Query

from app.api.access import AUDITOR, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Id, Nothing
from app.schemas.card_changes import EndedCardOut
from app.schemas.cards import CardOut
from app.services import card_changes
from app.services.card_changes import CardWrongState, TooManyNumbers
from app.services.cards import CardNotFound
from app.services.orgs import OrgNotFound
from app.services.people import PersonNotFound

ABOUT = Bilingual("青享卡的冻结、挂失与补卡", "Freezing a card, reporting its loss, replacing it")
router = Router(tags=["card_changes"], about=ABOUT)
OrgQuery = Annotated[
    Id | None, Query(description="Id of the organisation; without it the lowest that has them.")
]
CHANGE = (CardNotFound, CardWrongState)


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
    "/people/{person_id}/card/numbers",
    operation_id="listEndedCardNumbers",
    **allow(AUDITOR, OrgNotFound, PersonNotFound),
)
async def list_ended_card_numbers(
    person_id: PathId,
    tx: Tx,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: OrgQuery = None,
) -> Page[EndedCardOut]:
    """Return the numbers that a person's card had, newest first. Each look is audited.

    Without ``org_id``: at the lowest organisation that has the person and where the caller reads.
    """
    return await card_changes.ended_numbers(tx, caller, org_id, person_id, page)
