"""Posters: printed codes of the checkpoints of published quests, fetched by organizers.

Whoever fetches one can pass its code on, so has a part in the quest (docs/decisions/0009).
"""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.poster_codes import MAX_ISSUE, Poster, PosterCodes, PosterKind
from app.core.scanned import url_of
from app.models.quests import Quest, QuestCheckpoint, QuestState
from app.queries import quests as queries
from app.schemas.posters import PosterOut
from app.services import audit, quests
from app.services.quests import QuestWrongState


class CheckpointNotFound(Refusal):
    code, status, title = "posters.checkpoint_not_found", 404, "No such checkpoint"
    zh, en = "点位不存在", "There is no such checkpoint."


class PostersUsedUp(Refusal):
    code, status, title = "posters.used_up", 409, "Posters used up"
    zh, en = "该点位的海报换发次数已用完", "The poster of this checkpoint was replaced too often."
    fact_names = ("limit",)


async def show(
    tx: Session, codes: PosterCodes, host_url: str, caller: UUID, quest: UUID, number: int
) -> PosterOut:
    """Return the poster of a checkpoint. Raises QuestNotFound, CheckpointNotFound, QuestWrongState.

    The draft of a quest has none: its checkpoints are replaced with each edit.
    """
    _, checkpoint = await _checkpoint(tx, caller, quest, number)
    return _out(codes, host_url, checkpoint)


async def renew(
    tx: Session, codes: PosterCodes, host_url: str, caller: UUID, quest: UUID, number: int
) -> PosterOut:
    """Make the next issue of a poster; earlier ones are refused from now on.

    Raises QuestNotFound, CheckpointNotFound, QuestWrongState, PostersUsedUp.
    """
    record, checkpoint = await _checkpoint(tx, caller, quest, number)
    if checkpoint.issue == MAX_ISSUE:
        raise PostersUsedUp(limit=MAX_ISSUE)
    checkpoint.issue += 1
    await queries.save(tx, checkpoint)
    facts = {"checkpoint": number, "issue": checkpoint.issue}
    await audit.write(tx, caller, "renewed", record, facts=facts)
    return _out(codes, host_url, checkpoint)


async def _checkpoint(
    tx: Session, caller: UUID, quest_id: UUID, number: int
) -> tuple[Quest, QuestCheckpoint]:
    """Return a quest and its checkpoint, to somebody who organizes it and now has a part in it."""
    quest = await quests.organized(tx, caller, quest_id)
    checkpoint = await queries.checkpoint(tx, quest_id, number)
    if checkpoint is None:
        raise CheckpointNotFound
    if quest.state != QuestState.published:
        raise QuestWrongState(status=quest.state)
    await quests.note_part(tx, caller, quest)
    return quest, checkpoint


def _out(codes: PosterCodes, host_url: str, checkpoint: QuestCheckpoint) -> PosterOut:
    code = codes.make(PosterKind.checkpoint, Poster(checkpoint.serial, checkpoint.issue))
    path = f"/api/v1/quests/{checkpoint.quest_id}/checkpoints/{checkpoint.number}/poster"
    return PosterOut(
        quest_id=checkpoint.quest_id,
        number=checkpoint.number,
        issue=checkpoint.issue,
        code=code,
        url=url_of(host_url, code),
        svg_url=f"{path}.svg",
        wxacode_url=f"{path}/wxacode",
    )
