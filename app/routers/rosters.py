"""Rosters (离线名单) of an activity for devices."""

from typing import Annotated

from fastapi import Query

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, SessionQuery, Tx
from app.api.operations import no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.base import Id
from app.schemas.rosters import RosterOut
from app.services import rosters
from app.services.activities import ActivityNotFound, ActivityNotOpen
from app.services.devices import DeviceNotFound, DeviceWrongState
from app.services.offline_codes import OfflineTooEarly
from app.services.people import Forbidden
from app.services.rosters import NoRosterKey, RosterTooLarge
from app.services.sessions import SessionNotFound

ABOUT = Bilingual(
    "离线名单：为一台设备加密的应到名单",
    "Rosters: who is expected, encrypted for one device without network",
)
router = Router(tags=["rosters"], about=ABOUT)
SEAL = allow(
    RESIDENT,
    *(ActivityNotFound, ActivityNotOpen, DeviceNotFound, DeviceWrongState, Forbidden),
    *(NoRosterKey, OfflineTooEarly, RosterTooLarge, SessionNotFound),
)


@router.get("/activities/{activity_id}/roster", operation_id="getRoster", **SEAL)
@no_store
async def get_roster(
    activity_id: PathId,
    tx: Tx,
    caller: CurrentPerson,
    device_id: Annotated[Id, Query(description="Id of the device that shall read it.")],
    session: SessionQuery = None,
) -> RosterOut:
    """Return who has a confirmed place, encrypted for a device, to organizers and co-organizers.

    Of a session, from 7 days before its start on. The device is of the activity's organisation,
    above it or below it. The reading is on record, and points by the reader's own check-in wait
    for another organizer.
    """
    return await rosters.seal(tx, caller, activity_id, device_id, session)
