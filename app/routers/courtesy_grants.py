"""Grants of courtesies to a cohort (大礼包), claimed once by each person."""

from app.api import exports
from app.api.access import ORGANIZER, READER, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.guesses import CardGuesses
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Nothing, OrgId
from app.schemas.courtesy_claims import CourtesyClaimsOut
from app.schemas.courtesy_grants import (
    CourtesyGrantedOut,
    CourtesyGrantIn,
    CourtesyGrantOut,
    CourtesyGrantRevocationIn,
    MyCourtesyGrantOut,
)
from app.services.cards import CardSuspended
from app.services.courtesies.eligibility import CourtesyNotOpen
from app.services.courtesy_grants import claiming, granting, reading
from app.services.courtesy_grants.claiming import CourtesyGrantClaimed, CourtesyGrantOver
from app.services.courtesy_grants.granting import (
    CourtesyGrantWrongState,
    NobodyGranted,
)
from app.services.courtesy_grants.reading import CourtesyGrantNotFound
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual(
    "礼包：按名单或类别批量发放，每人领取一次",
    "Packages of courtesies granted to a cohort, claimed once",
)
router = Router(tags=["courtesy_grants"], about=ABOUT)


@router.post(
    "/courtesy-grants",
    status_code=201,
    operation_id="grantCourtesies",
    **allow(ORGANIZER, OrgNotFound, OrgClosed, NobodyGranted, body=True, once=True),
)
@leads_to("claimCourtesyGrant", {"courtesy_grant_id": "id"})
@leads_to("revokeCourtesyGrant", {"courtesy_grant_id": "id"})
async def grant_courtesies(
    body: CourtesyGrantIn, tx: Tx, caller: CurrentPerson, guesses: CardGuesses
) -> CourtesyGrantedOut:
    """Grant a package to up to 500 people, each with an outcome of their own."""
    return await granting.grant(tx, caller, body, guesses)


@router.get("/courtesy-grants", operation_id="listCourtesyGrants", **allow(READER, OrgNotFound))
@leads_to("revokeCourtesyGrant", {"courtesy_grant_id": "items/0/id"})
async def list_courtesy_grants(
    tx: Reader, caller: CurrentPerson, page: PageQuery, org_id: OrgId
) -> Page[CourtesyGrantOut]:
    """Return the grants of an organisation and those below it, with how many claimed."""
    return await reading.browse(tx, caller, org_id, page)


exports.beside(router, list_courtesy_grants, Bilingual("礼包发放", "Grants of courtesies"))


@router.post(
    "/courtesy-grants/{courtesy_grant_id}/revocation",
    operation_id="revokeCourtesyGrant",
    **allow(ORGANIZER, CourtesyGrantNotFound, CourtesyGrantWrongState, body=True, once=True),
)
async def revoke_courtesy_grant(
    courtesy_grant_id: PathId, body: CourtesyGrantRevocationIn, tx: Tx, caller: CurrentPerson
) -> CourtesyGrantOut:
    """Revoke a grant: nobody claims it any more; what was claimed stays."""
    return await granting.revoke(tx, caller, courtesy_grant_id, body.reason)


@router.get("/me/courtesy-grants", operation_id="listMyCourtesyGrants", **allow(RESIDENT))
@leads_to("claimCourtesyGrant", {"courtesy_grant_id": "items/0/id"})
async def list_my_courtesy_grants(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[MyCourtesyGrantOut]:
    """List the caller's packages, and whether they are claimed, newest first."""
    return await reading.mine(tx, person_id, page)


@router.post(
    "/courtesy-grants/{courtesy_grant_id}/claims",
    status_code=201,
    operation_id="claimCourtesyGrant",
    **allow(
        RESIDENT,
        CourtesyGrantNotFound,
        CourtesyGrantClaimed,
        CourtesyGrantOver,
        CourtesyNotOpen,
        CardSuspended,
        body=True,
        once=True,
    ),
)
async def claim_courtesy_grant(
    courtesy_grant_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> CourtesyClaimsOut:
    """Claim a package, once: each of its courtesies can then be used."""
    return await claiming.claim(tx, person_id, courtesy_grant_id)
