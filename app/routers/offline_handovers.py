"""Counters of redemption days without network: sealed lists of orders, and signed hand-overs."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Id
from app.schemas.offline_handovers import (
    CounterListOut,
    HandOversOut,
    HandOverUploadIn,
    OfflineHandOverOut,
)
from app.services import offline_handovers
from app.services.devices import DeviceNotFound, DeviceWrongState
from app.services.merchants.access import MerchantSuspended
from app.services.offline_handovers import OfflineNotOffered
from app.services.people import Forbidden
from app.services.redemption_days import reading
from app.services.redemption_days.reading import (
    RedemptionDayNotFound,
    RedemptionDayNotOpen,
    RedemptionDayWrongState,
)
from app.services.rosters import NoRosterKey, RosterTooLarge

ABOUT = Bilingual(
    "集中兑换离线柜台：加密的预约清单、设备签名的发放记录",
    "Counters without network: sealed lists of orders, and signed hand-overs",
)
router = Router(prefix="/redemption-days", tags=["offline_handovers"], about=ABOUT)
SERVE = (
    *(RedemptionDayNotFound, RedemptionDayWrongState, Forbidden, MerchantSuspended),
    *(OfflineNotOffered, DeviceNotFound),
)
SEAL = allow(RESIDENT, *SERVE, RedemptionDayNotOpen, DeviceWrongState, NoRosterKey, RosterTooLarge)
UPLOAD = allow(RESIDENT, *SERVE, body=True)


@router.get("/{redemption_day_id}/counter-list", operation_id="getCounterList", **SEAL)
@no_store
async def get_counter_list(
    redemption_day_id: PathId,
    tx: Tx,
    caller: CurrentPerson,
    device_id: Annotated[Id, Query(description="Id of the device that shall read it.")],
) -> CounterListOut:
    """Return the orders that wait, encrypted for a counter's device; the reading is on record.

    From ``closes_at`` on, but at most 24 hours before ``starts_at``: orders are not cancelled then.
    """
    return await offline_handovers.counter_list(tx, caller, redemption_day_id, device_id)


@router.post("/{redemption_day_id}/offline-handovers", operation_id="uploadHandovers", **UPLOAD)
async def upload_handovers(
    redemption_day_id: PathId, body: HandOverUploadIn, tx: Tx, caller: CurrentPerson
) -> HandOversOut:
    """Upload what a device recorded: up to 100, in any order, each any number of times."""
    return await offline_handovers.upload(tx, caller, redemption_day_id, body)


@router.get(
    "/{redemption_day_id}/offline-handovers",
    operation_id="listOfflineHandovers",
    **allow(RESIDENT, RedemptionDayNotFound),
)
async def list_offline_handovers(
    redemption_day_id: PathId, tx: Reader, caller: CurrentPerson, page: PageQuery
) -> Page[OfflineHandOverOut]:
    """Return what devices recorded and how it was settled, newest first."""
    return await offline_handovers.browse(tx, caller, redemption_day_id, page)


exports.beside(
    router, list_offline_handovers, Bilingual("离线交付", "Offline hand-overs"), org=reading.org_of
)
