"""Scans: devices upload what they recorded without network."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request

from app.api import exports
from app.api.access import ANYONE, RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.deps import CurrentPerson, PageQuery, Reader
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.core.ratelimit import Limit
from app.core.signed_events import Signed
from app.models.scans import ScanOutcome
from app.queries.scans import ScanFilter
from app.schemas.base import Id
from app.schemas.scans import DeviceEventsIn, ScanOut, ScansOut, ScanUploadIn
from app.services import activities
from app.services.activities import ActivityNotFound
from app.services.devices import DeviceNotFound
from app.services.people import Forbidden
from app.services.scans import reading, uploads
from app.services.scans.uploads import Parcel

ABOUT = Bilingual(
    "离线记录：上传设备签名的签到签退，逐条结算，查看结果",
    "Scans: what devices recorded without network is uploaded, settled and reported",
)
router = Router(tags=["scans"], about=ABOUT)
# 5,000 events with offline codes are 2.3 MB.
MAX_BYTES = 3 * 2**20
# An upload takes up to 2 seconds of a processor. Devices of a hall share one address.
UPLOADS = Limit("scans", burst=60, per_second=1)
UPLOADER, DEVICE = replace(RESIDENT, limit=UPLOADS), replace(ANYONE, limit=UPLOADS)


def _parcel(
    device_id: UUID, activity_id: UUID | None, uploaded_by: UUID | None, body: DeviceEventsIn
) -> Parcel:
    events = [Signed(one.text, one.signature) for one in body.events]
    return Parcel(device_id, activity_id, uploaded_by, body.sent_ms, events)


async def _received(request: Request, parcel: Parcel) -> ScansOut:
    runtime = runtime_of(request)
    return await uploads.receive(
        runtime.database, runtime.offline_codes, runtime.scan_uploads, parcel
    )


@router.post(
    "/activities/{activity_id}/scans",
    operation_id="uploadScans",
    max_body_size=MAX_BYTES,
    **allow(UPLOADER, ActivityNotFound, Forbidden, DeviceNotFound, body=True),
)
async def upload_scans(activity_id: PathId, body: ScanUploadIn, request: Request) -> ScansOut:
    """Upload what a device recorded at an activity, for its organizers and co-organizers.

    Up to 5,000 events in any order, each any number of times. An upload that ended in the middle
    is repeated: every event is settled once.
    """
    parcel = _parcel(body.device_id, activity_id, person_of(request), body)
    return await _received(request, parcel)


@router.post(
    "/devices/{device_id}/events",
    operation_id="sendDeviceEvents",
    max_body_size=MAX_BYTES,
    **allow(DEVICE, DeviceNotFound, body=True),
)
async def send_device_events(device_id: PathId, body: DeviceEventsIn, request: Request) -> ScansOut:
    """Upload as `uploadScans` does, by the device itself: the signatures of the events admit it.

    The events may be of any activity of the device's organisation, above it or below it.
    """
    return await _received(request, _parcel(device_id, None, None, body))


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return await activities.org_of(tx, asked["activity_id"])


@router.get(
    "/activities/{activity_id}/scans",
    operation_id="listScans",
    **allow(RESIDENT, ActivityNotFound, Forbidden),
)
async def list_scans(
    activity_id: PathId,
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    outcome: Annotated[ScanOutcome | None, Query(description="Only with this outcome.")] = None,
    device_id: Annotated[Id | None, Query(description="Only of this device.")] = None,
) -> Page[ScanOut]:
    """Return the scans of an activity, and how each was settled, in the order of settling.

    For organizers and co-organizers of the activity, and auditors, for whom names are masked.
    """
    return await reading.report(tx, caller, activity_id, ScanFilter(outcome, device_id), page)


exports.beside(router, list_scans, Bilingual("离线记录", "Scans"), org=_org_of)
