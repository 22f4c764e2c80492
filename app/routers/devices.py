"""Devices (志愿服务打卡器) of an organisation."""

from typing import Annotated

from fastapi import Query, Response

from app.api import exports
from app.api.access import ORGANIZER, READER, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.devices import DeviceKind, DeviceState
from app.schemas.base import OneLine, OrgId
from app.schemas.devices import DeviceIn, DeviceOut
from app.services import devices
from app.services.devices import (
    DeviceKeyTaken,
    DeviceNotFound,
    DeviceWrongState,
    TooManyDevices,
)
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual(
    "打卡设备：登记公钥、停用", "Devices that record attendance: their public keys, revoking them"
)
router = Router(tags=["devices"], about=ABOUT)
REGISTER = allow(
    ORGANIZER, OrgNotFound, OrgClosed, DeviceKeyTaken, TooManyDevices, body=True, once=True
)


@router.post("/devices", status_code=201, operation_id="registerDevice", **REGISTER)
@leads_to("getDevice", {"device_id": "id"})
@leads_to("revokeDevice", {"device_id": "id"})
async def register_device(body: DeviceIn, tx: Tx, caller: CurrentPerson) -> DeviceOut:
    """Register a device by its public keys. An organisation has at most 200 active ones."""
    return await devices.register(tx, caller, body)


@router.get("/devices", operation_id="listDevices", **allow(READER, OrgNotFound))
async def list_devices(
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: OrgId,
    kind: Annotated[DeviceKind | None, Query(description="Only of this kind.")] = None,
    state: Annotated[DeviceState | None, Query(description="Only in this state.")] = None,
) -> Page[DeviceOut]:
    """Return the devices of an organisation and everything below it, newest first."""
    return await devices.browse(tx, caller, org_id, kind, state, page)


exports.beside(router, list_devices, Bilingual("设备", "Devices"))


@router.get("/devices/{device_id}", operation_id="getDevice", **allow(READER, DeviceNotFound))
async def get_device(device_id: PathId, tx: Reader, caller: CurrentPerson) -> DeviceOut:
    """Return a device."""
    return await devices.get(tx, caller, device_id)


@router.delete(
    "/devices/{device_id}",
    status_code=204,
    operation_id="revokeDevice",
    **allow(ORGANIZER, DeviceNotFound, DeviceWrongState),
)
async def revoke_device(
    device_id: PathId,
    tx: Tx,
    caller: CurrentPerson,
    reason: Annotated[str, OneLine(200), Query(description="Why; it stands in the audit trail.")],
) -> Response:
    """Revoke a device. It stays on record; what arrives from it afterwards is refused."""
    await devices.revoke(tx, caller, device_id, reason)
    return Response(status_code=204)
