"""Offline codes (离线签到码) of the caller, and the keys that verify them."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query

from app.api.access import ANYONE, RESIDENT, allow
from app.api.deps import CurrentPerson, OfflineCodeKeys, Reader, SessionQuery
from app.api.operations import no_store
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.ratelimit import Limit
from app.schemas.base import Id
from app.schemas.offline_codes import OfflineCodesOut, OfflineKeysOut
from app.services import offline_codes
from app.services.activities import ActivityNotFound, ActivityNotOpen
from app.services.offline_codes import OfflineTooEarly
from app.services.sessions import SessionNotFound
from app.services.signups import NotSignedUp

ABOUT = Bilingual(
    "离线签到码：无网络时出示，工作人员的设备用公钥核验",
    "Offline codes: shown without network, verified by a steward's device with a public key",
)
router = Router(tags=["offline_codes"], about=ABOUT)
# A phone asks once for each session; 300 signatures take 25 ms of a process.
CODES = replace(RESIDENT, limit=Limit("offline_codes", burst=20, per_second=1 / 30))


@router.get(
    "/me/offline-codes",
    operation_id="listMyOfflineCodes",
    **allow(
        CODES, ActivityNotFound, SessionNotFound, ActivityNotOpen, OfflineTooEarly, NotSignedUp
    ),
)
@no_store
async def list_my_offline_codes(
    tx: Reader,
    caller: CurrentPerson,
    codes: OfflineCodeKeys,
    activity_id: Annotated[Id, Query(description="Id of the activity.")],
    session: SessionQuery = None,
) -> OfflineCodesOut:
    """Return the caller's codes for a session, from 7 days before its start on.

    The phone keeps them and shows the one of the moment; the steward types the last four digits
    of the card.
    """
    return await offline_codes.mine(tx, codes, caller, activity_id, session)


@router.get("/offline-keys", operation_id="listOfflineKeys", **allow(ANYONE))
async def list_offline_keys(codes: OfflineCodeKeys) -> OfflineKeysOut:
    """Return the public keys of offline codes. They change every 30 days; If-None-Match is heeded.

    A device fetches them before it goes where there is no network.
    """
    return offline_codes.public_keys(codes)
