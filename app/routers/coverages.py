"""Coverage of funds (公益银行): worth, liability, and whether prices are frozen."""

from app.api.access import ANYONE, allow
from app.api.deps import StaleReader
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.coverages import CoverageOut
from app.services import coverages
from app.services.orgs import OrgNotFound

ABOUT = Bilingual("公益银行的保障水平", "Coverage of funds")
router = Router(tags=["coverages"], about=ABOUT)


@router.get(
    "/orgs/{org_id}/fund/coverage",
    operation_id="getFundCoverage",
    **allow(ANYONE, OrgNotFound),
)
async def get_fund_coverage(org_id: PathId, tx: StaleReader) -> CoverageOut:
    """Return what a fund is worth beside the points outstanding, and whether prices are frozen.

    Points are counted every five minutes, until `as_of`; receipts at once.
    """
    return await coverages.show(tx, org_id)
