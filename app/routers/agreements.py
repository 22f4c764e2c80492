"""Agreements of organisations with merchants: what is paid for the points taken there."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import KEEPER, MERCHANT_READER, MERCHANT_STAFF, ORGANIZER, READER, allow
from app.api.deps import CurrentPerson, CurrentStaff, MerchantFilter, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.agreements import AgreementState
from app.schemas.agreements import AgreementIn, AgreementMoveIn, AgreementOut
from app.schemas.base import OrgId
from app.services import agreements
from app.services.agreements import (
    AgreementNotFound,
    AgreementsOverlap,
    AgreementWrongState,
    OwnAgreement,
)
from app.services.merchants import access
from app.services.merchants.access import MerchantNotFound
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual(
    "结算协议：组织提出、商户接受的积分折价与承担比例",
    "Agreements: what an organisation pays a merchant for points",
)
router = Router(tags=["agreements"], about=ABOUT)


@router.post(
    "/agreements",
    status_code=201,
    operation_id="proposeAgreement",
    **allow(
        ORGANIZER, OrgNotFound, OrgClosed, MerchantNotFound, OwnAgreement, body=True, once=True
    ),
)
@leads_to("moveAgreement", {"agreement_id": "id"})
@leads_to("getAgreement", {"agreement_id": "id"})
async def propose_agreement(body: AgreementIn, tx: Tx, caller: CurrentPerson) -> AgreementOut:
    """Propose an agreement to a merchant, also to one of another organisation."""
    return await agreements.propose(tx, caller, body)


@router.get("/agreements", operation_id="listAgreements", **allow(READER, OrgNotFound))
async def list_agreements(
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: OrgId,
    merchant_id: MerchantFilter = None,
    state: Annotated[AgreementState | None, Query(description="Only in this state.")] = None,
) -> Page[AgreementOut]:
    """Return the agreements of an organisation's subtree, newest first."""
    return await agreements.browse(tx, caller, org_id, merchant_id, state, page)


exports.beside(router, list_agreements, Bilingual("结算协议", "Agreements"))


@router.get("/merchant/agreements", operation_id="listOurAgreements", **allow(MERCHANT_STAFF))
async def list_our_agreements(
    tx: Reader, staff: CurrentStaff, page: PageQuery
) -> Page[AgreementOut]:
    """Return the agreements of the caller's merchant, with whichever organisation."""
    return await agreements.of_staff(tx, staff, page)


exports.beside(
    router, list_our_agreements, Bilingual("合作协议", "Agreements"), org=access.org_of_staff
)


@router.get(
    "/agreements/{agreement_id}",
    operation_id="getAgreement",
    **allow(MERCHANT_READER, AgreementNotFound),
)
async def get_agreement(agreement_id: PathId, tx: Reader, caller: CurrentPerson) -> AgreementOut:
    """Return an agreement to either side."""
    return await agreements.get(tx, caller, agreement_id)


@router.post(
    "/agreements/{agreement_id}/moves",
    operation_id="moveAgreement",
    **allow(
        KEEPER,
        AgreementNotFound,
        AgreementsOverlap,
        AgreementWrongState,
        OwnAgreement,
        body=True,
        once=True,
    ),
)
async def move_agreement(
    agreement_id: PathId, body: AgreementMoveIn, tx: Tx, caller: CurrentPerson
) -> AgreementOut:
    """Accept or decline it for the merchant, withdraw it for the organisation, or end it."""
    return await agreements.move(tx, caller, agreement_id, body)
