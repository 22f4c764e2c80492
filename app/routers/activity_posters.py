"""Posters with printed codes, for check-ins at activities."""

from typing import Annotated

from fastapi import Depends, Request

from app.api.access import RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.deps import CurrentPerson, HostUrl, Posters, Tx
from app.api.downloads import QrPicture, Wxacode
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.integrations.wechat.refusals import WechatLimited, WechatUnavailable
from app.schemas.activity_posters import ActivityPosterOut
from app.schemas.base import Nothing
from app.services import activity_posters
from app.services.activities import ActivityNotFound, ActivityNotOpen
from app.services.activity_posters import ActivityPostersUsedUp
from app.services.checkin_places import NoPlace
from app.services.people import Forbidden

ABOUT = Bilingual(
    "活动海报：可打印的签到二维码与小程序码，遗失可换发",
    "Posters of activities: printed check-in codes, replaced when they are lost",
)
router = Router(prefix="/activities/{activity_id}/poster", tags=["activity_posters"], about=ABOUT)
REFUSED = (ActivityNotFound, Forbidden, ActivityNotOpen, NoPlace)


@router.get("", operation_id="getActivityPoster", **allow(RESIDENT, *REFUSED))
@leads_to("checkIn", {"body.code": "code"})
@no_store
async def get_activity_poster(
    activity_id: PathId, tx: Tx, codes: Posters, host_url: HostUrl, person_id: CurrentPerson
) -> ActivityPosterOut:
    """Return the poster of a published activity with a place, to its organizers and co-organizers.

    Whoever has fetched it gets points there only when another organizer confirms them.
    """
    return await activity_posters.show(tx, codes, host_url, person_id, activity_id)


@router.get(
    ".svg",
    operation_id="getActivityPosterSvg",
    response_class=QrPicture,
    **allow(RESIDENT, *REFUSED),
)
@no_store
async def get_activity_poster_svg(
    activity_id: PathId, tx: Tx, codes: Posters, host_url: HostUrl, person_id: CurrentPerson
) -> QrPicture:
    """Return the poster's URL as a QR picture."""
    poster = await activity_posters.show(tx, codes, host_url, person_id, activity_id)
    return QrPicture.of(poster.url)


async def _wxacode(request: Request, activity_id: PathId) -> bytes:
    """Return what WeChat draws. No connection is held while WeChat is asked."""
    runtime, person_id = runtime_of(request), person_of(request)
    async with runtime.database.transaction() as tx:
        poster = await activity_posters.show(tx, runtime.posters, "", person_id, activity_id)
    return await runtime.wechat.mini_program_code(poster.code)


@router.get(
    "/wxacode",
    operation_id="getActivityPosterWxacode",
    response_class=Wxacode,
    **allow(RESIDENT, *REFUSED, WechatLimited, WechatUnavailable),
)
@no_store
async def get_activity_poster_wxacode(picture: Annotated[bytes, Depends(_wxacode)]) -> Wxacode:
    """Return the poster's mini-program code; its scene is the code."""
    return Wxacode.of(picture)


@router.post(
    "/renewal",
    operation_id="renewActivityPoster",
    **allow(RESIDENT, *REFUSED, ActivityPostersUsedUp, body=True, once=True),
)
@no_store
async def renew_activity_poster(
    activity_id: PathId,
    tx: Tx,
    codes: Posters,
    host_url: HostUrl,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> ActivityPosterOut:
    """Replace a lost poster: the new one is returned, and earlier ones are refused."""
    return await activity_posters.renew(tx, codes, host_url, person_id, activity_id)
