"""Quests: drafted, edited, published and closed by organizers; read by everybody."""

from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.activities import MAX_DISTANCE
from app.models.quest_visits import QuestCompletion
from app.models.quests import Quest, QuestState
from app.queries import people as people_queries
from app.queries import quest_visits as visit_queries
from app.queries import quests as queries
from app.queries import records as record_queries
from app.queries.awards import granting as granting_queries
from app.schemas.awards.reading import AwardOut
from app.schemas.quests import (
    QuestDetailOut,
    QuestEditIn,
    QuestIn,
    QuestOut,
    QuestProgressOut,
    VisitedOut,
)
from app.services import audit, orgs, people, records
from app.services.awards import wording
from app.services.policies import history, rules

MOVES = {
    QuestState.draft: {QuestState.published},
    QuestState.published: {QuestState.closed},
}


class QuestNotFound(Refusal):
    code, status, title = "quests.not_found", 404, "No such quest"
    zh, en = "打卡任务不存在", "There is no such quest."


class QuestWrongState(records.WrongState):
    code = "quests.wrong_state"


async def create(tx: Session, caller: UUID, body: QuestIn) -> QuestDetailOut:
    """Draft a quest. Raises OrgNotFound, Forbidden, OrgClosed, Invalid (rule, times)."""
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    await _require_rule(tx, org.path, body.rule_key)
    at = now()
    _require_times(body, at)
    quest = Quest(org_id=org.id, created_by=caller, created_at=at, **body.columns())
    await records.create(tx, caller, quest)
    checkpoints = await queries.replace_checkpoints(tx, quest.id, body.rows())
    await note_part(tx, caller, quest)
    return QuestDetailOut.of(quest, checkpoints)


async def edit(
    tx: Session, caller: UUID, quest_id: UUID, version: int, body: QuestEditIn
) -> QuestDetailOut:
    """Replace the content of a draft.

    Raises QuestNotFound, PreconditionFailed, QuestWrongState, OrgClosed, Invalid (rule, times).
    """
    quest = await organized(tx, caller, quest_id)
    records.require_version(quest.version, version)
    if quest.state != QuestState.draft:
        raise QuestWrongState(status=quest.state)
    org = await orgs.get_open(tx, quest.org_id)
    if body.rule_key != quest.rule_key:
        await _require_rule(tx, org.path, body.rule_key)
    _require_times(body, quest.created_at)
    for name, value in body.columns().items():
        if getattr(quest, name) != value:
            setattr(quest, name, value)
    changed = record_queries.changed(quest)
    checkpoints, rows = await queries.checkpoints(tx, quest.id), body.rows()
    if [one.model_dump(include={*rows[0]}) for one in checkpoints] != rows:
        checkpoints = await queries.replace_checkpoints(tx, quest.id, rows)
        changed.append("checkpoints")
    if changed:
        quest.version += 1
        await record_queries.save(tx, quest)
        await audit.write(tx, caller, "changed", quest, fields=sorted(changed))
        await note_part(tx, caller, quest)
    return QuestDetailOut.of(quest, checkpoints)


async def publish(tx: Session, caller: UUID, quest_id: UUID) -> QuestDetailOut:
    """Publish a draft. Raises QuestNotFound, OrgClosed, QuestWrongState, Invalid (it is over)."""
    quest = await organized(tx, caller, quest_id)
    await orgs.get_open(tx, quest.org_id)
    if quest.state == QuestState.draft:
        _require_to_come(quest.ends_at, now())
    return await _move(tx, caller, quest, QuestState.published)


async def close(tx: Session, caller: UUID, quest_id: UUID) -> QuestDetailOut:
    """End a quest for good: nobody visits it any more. Raises QuestNotFound, QuestWrongState."""
    quest = await organized(tx, caller, quest_id)
    return await _move(tx, caller, quest, QuestState.closed)


async def _move(tx: Session, caller: UUID, quest: Quest, state: QuestState) -> QuestDetailOut:
    quest.version += 1
    await records.move(tx, caller, quest, state, MOVES, QuestWrongState)
    await note_part(tx, caller, quest)
    return QuestDetailOut.of(quest, await queries.checkpoints(tx, quest.id))


async def browse(
    tx: Session,
    caller: UUID | None,
    org_id: UUID | None,
    state: QuestState,
    asked: PageParams,
) -> Page[QuestOut]:
    """Return the quests in a state, newest first; drafts to the readers of an organisation.

    Raises OrgNotFound; for drafts Forbidden, Invalid (without an organisation).
    """
    path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    if state is QuestState.draft:
        if path is None:
            raise invalid("query.org_id", "查看草稿须指定组织", "drafts are of an organisation")
        if not await people.holds(tx, caller, people.READERS, path):
            raise people.Forbidden
    query = (
        record_queries.where(Quest, state=state)
        if path is None
        else record_queries.below(Quest, path, state=state)
    )
    return await records.page(tx, query, Quest, QuestOut, asked)


async def get(tx: Session, caller: UUID | None, quest_id: UUID) -> QuestDetailOut:
    """Return a quest; a draft to the readers of its organisation alone. Raises QuestNotFound."""
    quest = await record_queries.find(tx, Quest, quest_id)
    if quest is None:
        raise QuestNotFound
    if quest.state == QuestState.draft:
        org = await orgs.get(tx, quest.org_id)
        if not await people.holds(tx, caller, people.READERS, org.path):
            raise QuestNotFound
    mine = None
    if caller is not None:
        mine = await progress(tx, quest, await people_queries.family(tx, caller))
    return QuestDetailOut.of(quest, await queries.checkpoints(tx, quest.id), mine)


async def progress(tx: Session, quest: Quest, family: list[UUID]) -> QuestProgressOut:
    """Return how far a person is, by all accounts of theirs."""
    visits = await visit_queries.in_quest(tx, quest.id, family)
    first = {at.number: visit for visit, at in reversed(visits)}
    done = await visit_queries.completion(tx, quest.id, family)
    return QuestProgressOut(
        done=len(first),
        needed=quest.needed,
        visited=[
            VisitedOut(number=number, visited_at=visit.visited_at)
            for number, visit in sorted(first.items(), key=lambda one: one[1].id)
        ],
        completed_at=done.completed_at if done else None,
        award=await _award(tx, done) if done else None,
    )


async def _award(tx: Session, done: QuestCompletion) -> AwardOut:
    award = await granting_queries.find(tx, done.award_id)
    assert award is not None, "a foreign key"
    return wording.to_out(award)


async def organized(tx: Session, caller: UUID, quest_id: UUID) -> Quest:
    """Lock and return a quest that the caller organizes. Raises QuestNotFound."""
    return await records.locked(tx, Quest, quest_id, caller, people.ORGANIZERS, QuestNotFound)


async def note_part(tx: Session, caller: UUID, quest: Quest) -> None:
    """Note that the caller has a part in a quest: points of their own for it wait.

    Verification compares the organizers with these entries of the audit trail.
    """
    if await queries.note_organizer(tx, quest.id, caller):
        await audit.write(tx, caller, "organizes", quest)


async def _require_rule(tx: Session, org_path: str, rule_key: str) -> None:
    rule = (await history.in_force(tx, org_path)).rule(rule_key)
    if rule is None:
        raise invalid("body.rule_key", "没有生效的这条规则", "no such rule in force")
    if not rules.by_visits(rule):
        raise invalid(
            "body.rule_key", "完成打卡不能满足这条规则", "completing a quest cannot meet this rule"
        )


def _require_times(body: QuestEditIn, created_at: datetime) -> None:
    """Raise Invalid if the quest is over or too far away; the database checks the distance too."""
    if body.starts_at < created_at - MAX_DISTANCE:
        raise invalid("body.starts_at", "早于两年之前", "lies more than two years back")
    if body.ends_at > created_at + MAX_DISTANCE:
        raise invalid("body.ends_at", "晚于两年之后", "lies more than two years ahead")
    _require_to_come(body.ends_at, now())


def _require_to_come(ends_at: datetime, at: datetime) -> None:
    if ends_at <= at:
        raise invalid("body.ends_at", "应晚于当前时间", "lies in the past")
