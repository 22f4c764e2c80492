"""The 公益银行 of an organisation: what came in, and where its points are."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ADMINISTRATOR, ANYONE, allow
from app.api.deps import (
    CurrentPerson,
    PageQuery,
    Reader,
    Tx,
    UnitQuery,
)
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.funds import FundOut, ReceiptIn, ReceiptOut
from app.services import funds
from app.services.ledger.units import UnitUnknown
from app.services.orgs import OrgNotFound

router = Router(tags=["funds"])


@router.get(
    "/orgs/{org_id}/fund", operation_id="getFund", **allow(ANYONE, OrgNotFound, UnitUnknown)
)
async def get_fund(
    org_id: PathId,
    tx: Reader,
    month: Annotated[str | None, Query(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")] = None,
    unit: UnitQuery | None = None,
    subtree: bool = False,
) -> FundOut:
    """Return the public figures at the end of a month, of the running one until a moment ago."""
    return await funds.figures(tx, org_id, month, unit, subtree=subtree)


@router.get(
    "/orgs/{org_id}/fund/receipts",
    operation_id="listFundReceipts",
    **allow(ANYONE, OrgNotFound),
)
async def list_fund_receipts(org_id: PathId, tx: Reader, page: PageQuery) -> Page[ReceiptOut]:
    """Return donations and budgets, newest first."""
    return await funds.receipts(tx, org_id, page)


exports.beside(router, list_fund_receipts, Bilingual("公益银行收入", "Fund receipts"))


@router.post(
    "/orgs/{org_id}/fund/receipts",
    status_code=201,
    operation_id="receiveIntoFund",
    **allow(ADMINISTRATOR, OrgNotFound, body=True, once=True),
)
async def receive_into_fund(
    org_id: PathId, body: ReceiptIn, tx: Tx, person_id: CurrentPerson
) -> ReceiptOut:
    """Enter a donation or a budget; awards that wait for it are paid, oldest first."""
    return await funds.receive(tx, person_id, org_id, body)
