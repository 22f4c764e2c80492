"""Periods of funds (公益银行): months, quarters and years, for everybody."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ANYONE, allow
from app.api.deps import PageQuery, StaleReader, UnitQuery
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.fund_periods import FundPeriod, FundPeriodOut
from app.services import fund_periods
from app.services.ledger.units import UnitUnknown
from app.services.orgs import OrgNotFound

ABOUT = Bilingual(
    "公益银行月、季、年公开数据", "Public figures of funds by month, quarter and year"
)
router = Router(tags=["fund_periods"], about=ABOUT)


@router.get(
    "/orgs/{org_id}/fund/periods",
    operation_id="listFundPeriods",
    **allow(ANYONE, OrgNotFound, UnitUnknown),
)
async def list_fund_periods(
    org_id: PathId,
    tx: StaleReader,
    page: PageQuery,
    period: Annotated[
        FundPeriod, Query(description="Whether months, quarters or years are listed.")
    ],
    unit: Annotated[
        UnitQuery | None, Query(description="Code of a unit; by default that of the programme.")
    ] = None,
) -> Page[FundPeriodOut]:
    """Return the periods of a fund, newest first: points, money, goods, worth and liability."""
    return await fund_periods.periods(tx, org_id, period, unit, page)


exports.beside(router, list_fund_periods, Bilingual("公益银行公开数据", "Fund periods"))
