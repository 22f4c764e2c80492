"""Agreements of two organisations to exchange points of their programmes."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ADMINISTRATOR, ANYONE, allow
from app.api.deps import CurrentPerson, OrgFilter, PageQuery, StaleReader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.exchanges import ExchangeAgreementState
from app.schemas.exchange_agreements import (
    AgreementDecisionIn,
    AgreementEndIn,
    ExchangeAgreementIn,
    ExchangeAgreementOut,
)
from app.services import exchange_agreements as agreements
from app.services.exchange_agreements import (
    AgreementNotFound,
    AgreementWrongState,
    OwnAgreement,
    SameUnit,
)
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual("积分互换协议：两地积分的比率、额度与头寸", "Agreements to exchange points")
router = Router(prefix="/exchange-agreements", tags=["exchange_agreements"], about=ABOUT)
StateQuery = Annotated[
    ExchangeAgreementState | None, Query(description="Only those in this state.")
]
DECIDE = allow(
    ADMINISTRATOR,
    AgreementNotFound,
    OwnAgreement,
    OrgClosed,
    OrgNotFound,
    AgreementWrongState,
    body=True,
    once=True,
)


@router.post(
    "",
    status_code=201,
    operation_id="proposeExchangeAgreement",
    **allow(ADMINISTRATOR, OrgNotFound, OrgClosed, SameUnit, body=True, once=True),
)
@leads_to("decideExchangeAgreement", {"exchange_agreement_id": "id"})
@leads_to("endExchangeAgreement", {"exchange_agreement_id": "id"})
async def propose_exchange_agreement(
    body: ExchangeAgreementIn, tx: Tx, caller: CurrentPerson
) -> ExchangeAgreementOut:
    """Propose to exchange points with another organisation, whose administrator must agree."""
    return await agreements.propose(tx, caller, body)


@router.get("", operation_id="listExchangeAgreements", **allow(ANYONE, OrgNotFound))
async def list_exchange_agreements(
    tx: StaleReader, page: PageQuery, org_id: OrgFilter = None, state: StateQuery = None
) -> Page[ExchangeAgreementOut]:
    """Return agreements with the positions of both sides, newest first."""
    return await agreements.browse(tx, org_id, state, page)


exports.beside(router, list_exchange_agreements, Bilingual("积分互认协议", "Exchange agreements"))


@router.get(
    "/{exchange_agreement_id}",
    operation_id="getExchangeAgreement",
    **allow(ANYONE, AgreementNotFound),
)
async def get_exchange_agreement(
    exchange_agreement_id: PathId, tx: StaleReader
) -> ExchangeAgreementOut:
    """Return an agreement with the positions of both sides."""
    return await agreements.show(tx, exchange_agreement_id)


@router.post("/{exchange_agreement_id}/decision", operation_id="decideExchangeAgreement", **DECIDE)
async def decide_exchange_agreement(
    exchange_agreement_id: PathId, body: AgreementDecisionIn, tx: Tx, caller: CurrentPerson
) -> ExchangeAgreementOut:
    """Accept or decline, as an administrator of the organisation that was asked."""
    return await agreements.decide(tx, caller, exchange_agreement_id, body)


@router.post(
    "/{exchange_agreement_id}/end",
    operation_id="endExchangeAgreement",
    **allow(ADMINISTRATOR, AgreementNotFound, AgreementWrongState, body=True, once=True),
)
async def end_exchange_agreement(
    exchange_agreement_id: PathId, body: AgreementEndIn, tx: Tx, caller: CurrentPerson
) -> ExchangeAgreementOut:
    """End an agreement as an administrator of either side, or withdraw an own proposal."""
    return await agreements.end(tx, caller, exchange_agreement_id, body)
