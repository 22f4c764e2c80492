"""Proxies: somebody else collects a reservation."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.proxies import ProxyIn, ProxyOut
from app.services import proxies
from app.services.proxies import ProxyNotFound
from app.services.redemptions.reservations import RedemptionNotFound, RedemptionNotReserved

ABOUT = Bilingual("代领：由他人凭一次性代领码领取", "Proxies: somebody else collects, once")
router = Router(tags=["proxies"], about=ABOUT)


@router.post(
    "/redemptions/{redemption_id}/proxy",
    status_code=201,
    operation_id="makeProxy",
    **allow(RESIDENT, RedemptionNotFound, RedemptionNotReserved, body=True, once=True),
)
@leads_to("collectRedemption", {"body.pickup_code": "code"})
@no_store
async def make_proxy(
    redemption_id: PathId, body: ProxyIn, tx: Tx, person_id: CurrentPerson
) -> ProxyOut:
    """Let somebody else collect the caller's reservation, once; an earlier code ends."""
    return await proxies.make(tx, person_id, redemption_id, body)


@router.get(
    "/redemptions/{redemption_id}/proxy",
    operation_id="getProxy",
    **allow(RESIDENT, RedemptionNotFound, ProxyNotFound),
)
@no_store
async def get_proxy(redemption_id: PathId, tx: Reader, person_id: CurrentPerson) -> ProxyOut:
    """Return the code by which somebody else may collect, and whether that was done."""
    return await proxies.show(tx, person_id, redemption_id)


@router.delete(
    "/redemptions/{redemption_id}/proxy",
    status_code=204,
    operation_id="revokeProxy",
    **allow(RESIDENT, RedemptionNotFound),
)
async def revoke_proxy(redemption_id: PathId, tx: Tx, person_id: CurrentPerson) -> None:
    """End the code by which somebody else may collect."""
    await proxies.revoke(tx, person_id, redemption_id)
