"""Quests (线下互动打卡任务): checkpoints to be visited, and an award for it."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, allow
from app.api.deps import Caller, CurrentPerson, IfMatch, OrgFilter, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.quests import QuestState
from app.schemas.base import Nothing
from app.schemas.quests import QuestDetailOut, QuestEditIn, QuestIn, QuestOut
from app.services import quests
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import Forbidden
from app.services.quests import QuestNotFound, QuestWrongState

ABOUT = Bilingual(
    "打卡任务：线下多点打卡，完成后发放积分",
    "Quests: checkpoints in several places, an award when enough are visited",
)
router = Router(prefix="/quests", tags=["quests"], about=ABOUT)
StateQuery = Annotated[
    QuestState, Query(description="Only those in this state; drafts with `org_id` alone.")
]


@router.get("", operation_id="listQuests", **allow(ANYONE, OrgNotFound, Forbidden))
@leads_to("getQuest", {"quest_id": "items/0/id"})
async def list_quests(
    tx: Reader,
    caller: Caller,
    page: PageQuery,
    org_id: OrgFilter = None,
    state: StateQuery = QuestState.published,
) -> Page[QuestOut]:
    """List quests, newest first; drafts to organizers and auditors of their organisation."""
    return await quests.browse(tx, caller, org_id, state, page)


exports.beside(router, list_quests, Bilingual("打卡任务", "Quests"))


@router.post(
    "",
    status_code=201,
    operation_id="createQuest",
    **allow(ORGANIZER, OrgNotFound, OrgClosed, body=True, once=True),
)
@leads_to("getQuest", {"quest_id": "id"})
@leads_to("publishQuest", {"quest_id": "id"})
async def create_quest(body: QuestIn, tx: Tx, person_id: CurrentPerson) -> QuestDetailOut:
    """Draft a quest with its checkpoints."""
    return await quests.create(tx, person_id, body)


@router.get("/{quest_id}", operation_id="getQuest", **allow(ANYONE, QuestNotFound))
async def get_quest(quest_id: PathId, tx: Reader, caller: Caller) -> QuestDetailOut:
    """Return a quest with its checkpoints, and which of them the caller has visited."""
    return await quests.get(tx, caller, quest_id)


@router.put(
    "/{quest_id}",
    operation_id="editQuest",
    **allow(ORGANIZER, QuestNotFound, QuestWrongState, OrgClosed, body=True, if_match=True),
)
async def edit_quest(
    quest_id: PathId, body: QuestEditIn, version: IfMatch, tx: Tx, person_id: CurrentPerson
) -> QuestDetailOut:
    """Replace the content of a draft. A published quest stays as it is."""
    return await quests.edit(tx, person_id, quest_id, version, body)


@router.post(
    "/{quest_id}/publish",
    operation_id="publishQuest",
    **allow(ORGANIZER, QuestNotFound, QuestWrongState, OrgClosed, body=True, once=True),
)
@leads_to("getPoster", {"quest_id": "id", "number": "checkpoints/0/number"})
async def publish_quest(
    quest_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> QuestDetailOut:
    """Publish a draft: everybody sees it, and its posters can be fetched."""
    return await quests.publish(tx, person_id, quest_id)


@router.post(
    "/{quest_id}/close",
    operation_id="closeQuest",
    **allow(ORGANIZER, QuestNotFound, QuestWrongState, body=True, once=True),
)
async def close_quest(
    quest_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> QuestDetailOut:
    """End a quest for good. Who has not completed it gets nothing."""
    return await quests.close(tx, person_id, quest_id)
