"""Posters with printed codes, for the checkpoints of quests."""

from typing import Annotated

from fastapi import Depends, Path, Request

from app.api.access import ORGANIZER, allow
from app.api.context import person_of, runtime_of
from app.api.deps import CurrentPerson, HostUrl, Posters, Tx
from app.api.downloads import QrPicture, Wxacode
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.integrations.wechat.refusals import WechatLimited, WechatUnavailable
from app.models.quests import MAX_CHECKPOINTS
from app.schemas.base import Nothing
from app.schemas.posters import PosterOut
from app.services import posters
from app.services.posters import CheckpointNotFound, PostersUsedUp
from app.services.quests import QuestNotFound, QuestWrongState

ABOUT = Bilingual(
    "打卡海报：可打印的二维码与小程序码，遗失可换发",
    "Posters of checkpoints: printed codes, replaced when they are lost",
)
router = Router(
    prefix="/quests/{quest_id}/checkpoints/{number}/poster", tags=["posters"], about=ABOUT
)
Number = Annotated[
    int, Path(ge=1, le=MAX_CHECKPOINTS, description="Number of the checkpoint in its quest.")
]
REFUSED = (QuestNotFound, CheckpointNotFound, QuestWrongState)


@router.get("", operation_id="getPoster", **allow(ORGANIZER, *REFUSED))
@leads_to("visitCheckpoint", {"body.code": "code"})
@no_store
async def get_poster(
    quest_id: PathId,
    number: Number,
    tx: Tx,
    codes: Posters,
    host_url: HostUrl,
    person_id: CurrentPerson,
) -> PosterOut:
    """Return the poster of a checkpoint of a published quest.

    Whoever has fetched it gets points by the quest only when another organizer confirms them.
    """
    return await posters.show(tx, codes, host_url, person_id, quest_id, number)


@router.get(
    ".svg", operation_id="getPosterSvg", response_class=QrPicture, **allow(ORGANIZER, *REFUSED)
)
@no_store
async def get_poster_svg(
    quest_id: PathId,
    number: Number,
    tx: Tx,
    codes: Posters,
    host_url: HostUrl,
    person_id: CurrentPerson,
) -> QrPicture:
    """Return the poster's URL as a QR picture."""
    poster = await posters.show(tx, codes, host_url, person_id, quest_id, number)
    return QrPicture.of(poster.url)


async def _wxacode(request: Request, quest_id: PathId, number: Number) -> bytes:
    """Return what WeChat draws. No connection is held while WeChat is asked."""
    runtime, person_id = runtime_of(request), person_of(request)
    async with runtime.database.transaction() as tx:
        poster = await posters.show(tx, runtime.posters, "", person_id, quest_id, number)
    return await runtime.wechat.mini_program_code(poster.code)


@router.get(
    "/wxacode",
    operation_id="getPosterWxacode",
    response_class=Wxacode,
    **allow(ORGANIZER, *REFUSED, WechatLimited, WechatUnavailable),
)
@no_store
async def get_poster_wxacode(picture: Annotated[bytes, Depends(_wxacode)]) -> Wxacode:
    """Return the poster's mini-program code; its scene is the code."""
    return Wxacode.of(picture)


@router.post(
    "/renewal",
    operation_id="renewPoster",
    **allow(ORGANIZER, *REFUSED, PostersUsedUp, body=True, once=True),
)
@no_store
async def renew_poster(
    quest_id: PathId,
    number: Number,
    tx: Tx,
    codes: Posters,
    host_url: HostUrl,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> PosterOut:
    """Replace a lost poster: the new one is returned, and earlier ones are refused."""
    return await posters.renew(tx, codes, host_url, person_id, quest_id, number)
