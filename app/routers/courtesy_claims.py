"""Claims of courtesies: made, cancelled, used at a counter or a venue, and the use log."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import MERCHANT_STAFF, ORGANIZER, READER, RESIDENT, allow
from app.api.deps import CurrentPerson, CurrentStaff, PageQuery, Reader, Tx
from app.api.guesses import CODE_GUESS, Guess, count_at_merchant
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Id, Nothing, OrgId
from app.schemas.courtesy_claims import (
    CounterClaimOut,
    CounterClaimsOut,
    CourtesyClaimOut,
    CourtesyUseIn,
    MyCourtesyClaimOut,
)
from app.services.cards import CardSuspended
from app.services.code_locks import CodesLocked
from app.services.courtesies.eligibility import (
    CourtesyChoiceMade,
    CourtesyNotEligible,
    CourtesyNotOpen,
    CourtesyQuotaUsed,
)
from app.services.courtesies.reading import CourtesyNotFound
from app.services.courtesy_claims import claiming, reading, using
from app.services.courtesy_claims.reading import CourtesyClaimNotFound, CourtesyClaimWrongState
from app.services.courtesy_claims.using import OwnCourtesy
from app.services.merchants import access
from app.services.merchants.access import MerchantSuspended
from app.services.orgs import OrgNotFound
from app.services.redemptions.card_codes import CardCodeInvalid, CardCodeUsed

ABOUT = Bilingual(
    "礼遇的领取、取消、使用与使用记录",
    "Courtesies claimed, cancelled and used, and the log of uses",
)
router = Router(tags=["courtesy_claims"], about=ABOUT)
CourtesyQuery = Annotated[Id | None, Query(description="Only of this courtesy; else of all.")]
UsedQuery = Annotated[bool, Query(description="True: only those that were used.")]
CODE = (CardCodeInvalid, CardCodeUsed, CardSuspended, OwnCourtesy)
COUNTER = (*CODE, CodesLocked, MerchantSuspended)
AT_COUNTER = Guess(CODE_GUESS, CardCodeInvalid, then=count_at_merchant)
CLAIM = allow(
    RESIDENT,
    CourtesyNotFound,
    CourtesyNotOpen,
    CourtesyNotEligible,
    CourtesyQuotaUsed,
    CourtesyChoiceMade,
    CardSuspended,
    body=True,
    once=True,
)
CANCEL = allow(RESIDENT, CourtesyClaimNotFound, CourtesyClaimWrongState, body=True, once=True)
PREVIEW = allow(MERCHANT_STAFF, *COUNTER, body=True, guess=AT_COUNTER)
USE = allow(
    MERCHANT_STAFF,
    *COUNTER,
    CourtesyClaimNotFound,
    CourtesyClaimWrongState,
    body=True,
    once=True,
    guess=AT_COUNTER,
)
USE_AT_VENUE = allow(
    ORGANIZER,
    *CODE,
    CourtesyNotFound,
    CourtesyClaimNotFound,
    body=True,
    once=True,
    guess=Guess(CODE_GUESS, CardCodeInvalid),
)


@router.post(
    "/courtesies/{courtesy_id}/claims", status_code=201, operation_id="claimCourtesy", **CLAIM
)
@leads_to("cancelCourtesyClaim", {"courtesy_claim_id": "id"})
@leads_to("useCourtesy", {"courtesy_claim_id": "id"})
async def claim_courtesy(
    courtesy_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> MyCourtesyClaimOut:
    """Claim a courtesy once more in the running period."""
    return await claiming.claim(tx, person_id, courtesy_id)


@router.get("/me/courtesy-claims", operation_id="listMyCourtesyClaims", **allow(RESIDENT))
@leads_to("cancelCourtesyClaim", {"courtesy_claim_id": "items/0/id"})
async def list_my_courtesy_claims(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[MyCourtesyClaimOut]:
    """List the caller's claims and where they were used, newest first."""
    return await reading.mine(tx, person_id, page)


exports.beside(router, list_my_courtesy_claims, Bilingual("我的礼遇", "My courtesies"))


@router.post(
    "/courtesy-claims/{courtesy_claim_id}/cancel", operation_id="cancelCourtesyClaim", **CANCEL
)
async def cancel_courtesy_claim(
    courtesy_claim_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> MyCourtesyClaimOut:
    """Cancel a claim that is not used: quota and choice of the year are free again."""
    return await claiming.cancel(tx, person_id, courtesy_claim_id)


@router.get("/courtesy-claims", operation_id="listCourtesyClaims", **allow(READER, OrgNotFound))
async def list_courtesy_claims(
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: OrgId,
    courtesy_id: CourtesyQuery = None,
    used: UsedQuery = False,
) -> Page[CourtesyClaimOut]:
    """Return claims and uses of the courtesies of a subtree, newest first."""
    return await reading.browse(tx, caller, org_id, courtesy_id, used=used, asked=page)


exports.beside(router, list_courtesy_claims, Bilingual("礼遇使用记录", "Uses of courtesies"))


@router.post("/courtesies/{courtesy_id}/uses", operation_id="useCourtesyAtVenue", **USE_AT_VENUE)
async def use_courtesy_at_venue(
    courtesy_id: PathId, body: CourtesyUseIn, tx: Tx, caller: CurrentPerson
) -> CourtesyClaimOut:
    """Use the oldest claim of the holder of a card, at the venue of the courtesy."""
    return await using.use_at_venue(tx, caller, courtesy_id, body.card_code)


@router.post("/merchant/courtesy-claims/preview", operation_id="previewCourtesyClaims", **PREVIEW)
@leads_to("useCourtesy", {"courtesy_claim_id": "items/0/id"})
async def preview_courtesy_claims(
    body: CourtesyUseIn, tx: Tx, staff: CurrentStaff
) -> CounterClaimsOut:
    """Tell what the holder of a card can use at this merchant, without using the code up."""
    return await using.preview(tx, staff, body.card_code)


@router.post("/merchant/courtesy-claims/{courtesy_claim_id}/use", operation_id="useCourtesy", **USE)
async def use_courtesy(
    courtesy_claim_id: PathId, body: CourtesyUseIn, tx: Tx, staff: CurrentStaff
) -> CounterClaimOut:
    """Use a claim of the holder of a card at this merchant; the code is used up."""
    return await using.use_at_merchant(tx, staff, courtesy_claim_id, body.card_code)


@router.get(
    "/merchant/courtesy-claims",
    operation_id="listMerchantCourtesyClaims",
    **allow(MERCHANT_STAFF),
)
async def list_merchant_courtesy_claims(
    tx: Reader, staff: CurrentStaff, page: PageQuery
) -> Page[CounterClaimOut]:
    """Return the courtesies that were used at this merchant, newest claim first."""
    return await reading.at_merchant(tx, staff, page)


exports.beside(
    router,
    list_merchant_courtesy_claims,
    Bilingual("本店礼遇使用记录", "Courtesies used here"),
    org=access.org_of_staff,
)
