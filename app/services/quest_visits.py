"""Visits: a scanned poster and the place of the phone become progress, and in the end an award."""

from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.geo import distance_m
from app.core.ids import new_id
from app.core.poster_codes import Poster, PosterCodeInvalid, PosterCodes, PosterKind
from app.core.scanned import code_of
from app.models.awards import AwardState
from app.models.quest_visits import QuestCompletion, QuestVisit, VisitFlag
from app.models.quests import Quest, QuestCheckpoint, QuestState
from app.queries import people as people_queries
from app.queries import quest_visits as queries
from app.queries import quests as quest_queries
from app.schemas.checkins import PositionIn
from app.schemas.quest_visits import QuestVisitOut, QuestVisitResultOut
from app.services import audit, eligibility, geofences, notify, orgs, quests
from app.services.awards import granting, wording
from app.services.awards.granting import Grant, Granted
from app.services.geofences import MAX_ACCURACY_M
from app.services.ledger import moments
from app.services.policies import history, rules


class QuestVisitCodeInvalid(Refusal):
    """A code that is forged, of another purpose or key, or of no checkpoint."""

    code, status, title = "quest_visits.code_invalid", 422, "Code invalid"
    zh, en = "打卡码无效，请扫描现场海报上的二维码", "This is not the code of a poster."


class PosterReplaced(Refusal):
    code, status, title = "quest_visits.poster_replaced", 422, "Poster replaced"
    zh, en = "这张海报已作废，请扫描新的海报", "This poster was replaced by another one; scan that."


class QuestNotOpen(Refusal):
    code, status, title = "quest_visits.not_open", 409, "Quest not open"
    zh, en = "打卡任务未发布或已结束", "The quest is not published, or it is over."
    fact_names = ("status", "opens_at", "closes_at")


class OutsideVisitingTime(Refusal):
    code, status, title = "quest_visits.outside_window", 409, "Checkpoint not open"
    zh, en = "该点位不在开放时间内", "The checkpoint is not open at this time."
    fact_names = ("opens_at", "closes_at")


class LocationMissing(Refusal):
    code, status, title = "quest_visits.location_missing", 422, "No location"
    zh, en = "打卡需要您的位置，请允许获取位置后重试", "A visit needs the location of the phone."


class TooFar(Refusal):
    """Facts in metres: how far the phone is, and how far it may be, its accuracy included."""

    code, status, title = "quest_visits.too_far", 409, "Too far away"
    zh, en = "您离点位太远，请到现场扫码", "You are too far from the checkpoint."
    fact_names = ("distance_m", "limit")


def read_code(codes: PosterCodes, text: str) -> Poster:
    """Verify what was scanned without a look-up. Raises QuestVisitCodeInvalid."""
    try:
        return codes.check(code_of(text), PosterKind.checkpoint)
    except PosterCodeInvalid:
        raise QuestVisitCodeInvalid from None


async def visit(
    tx: Session, caller: UUID, poster: Poster, position: PositionIn | None
) -> tuple[QuestVisitResultOut, bool]:
    """Record a visit; return it, and whether it is new. A repeat returns the first one.

    Raises QuestVisitCodeInvalid, NotEligible (under 14, without a guardian's consent),
    PosterReplaced, QuestNotOpen, OutsideVisitingTime, LocationMissing, TooFar.
    """
    found = await quest_queries.by_serial(tx, poster.serial)
    if found is None:
        raise QuestVisitCodeInvalid
    await eligibility.require_consent(tx, caller)
    checkpoint, quest = found
    await queries.lock_person(tx, caller)
    family = await people_queries.family(tx, caller)
    before = await queries.in_quest(tx, quest.id, family)
    known = next((one for one, at in before if at.id == checkpoint.id), None)
    if known is not None:
        return await _result(tx, quest, checkpoint, known, family), False
    if poster.issue != checkpoint.issue:
        raise PosterReplaced
    at = await moments.moment(tx)
    # ``at`` is ahead of the clock after a day was closed too early.
    _require_open(quest, checkpoint, min(at, now()))
    made = await _record(tx, caller, quest, checkpoint, position, at, family)
    visits = [one for one, _ in before] + [made]
    if len({one.checkpoint_id for one in visits}) >= quest.needed:
        await _complete(tx, caller, quest, visits, at, family)
    return await _result(tx, quest, checkpoint, made, family), True


def _require_open(quest: Quest, checkpoint: QuestCheckpoint, at: datetime) -> None:
    if quest.state != QuestState.published:
        raise QuestNotOpen(status=quest.state, opens_at=quest.starts_at, closes_at=quest.ends_at)
    if not checkpoint.opens_at <= at < checkpoint.closes_at:
        raise OutsideVisitingTime(opens_at=checkpoint.opens_at, closes_at=checkpoint.closes_at)


async def _record(
    tx: Session,
    caller: UUID,
    quest: Quest,
    checkpoint: QuestCheckpoint,
    position: PositionIn | None,
    at: datetime,
    family: list[UUID],
) -> QuestVisit:
    """Insert a visit of somebody who is there; flag it if nobody travels so fast."""
    distance, accuracy = _place(checkpoint, position)
    last = await queries.last(tx, family)
    flagged = None
    if last is not None and _is_too_fast(last[1], checkpoint, last[0].visited_at, at):
        flagged = VisitFlag.travel
    made = QuestVisit(
        quest_id=quest.id,
        checkpoint_id=checkpoint.id,
        person_id=caller,
        visited_at=at,
        distance_m=distance,
        accuracy_m=accuracy,
        flagged=flagged,
    )
    await queries.insert(tx, made)
    if flagged is not None:
        await audit.write_about(tx, None, "flagged", ("quest_visit", made.id), quest.org_id)
    return made


def _place(checkpoint: QuestCheckpoint, position: PositionIn | None) -> tuple[int, int]:
    """Return distance and accuracy of a phone at a checkpoint. Raises LocationMissing, TooFar."""
    if position is None:
        raise LocationMissing
    place = (checkpoint.latitude, checkpoint.longitude)
    found = geofences.measure(place, checkpoint.radius_m, position)
    if not found.is_inside:
        raise TooFar(distance_m=found.distance_m, limit=found.limit)
    return found.distance_m, found.accuracy_m


def _is_too_fast(
    before: QuestCheckpoint, after: QuestCheckpoint, left_at: datetime, came_at: datetime
) -> bool:
    """Whether a way between the edges of two checkpoints was faster than MAX_SPEED_KMH."""
    apart = distance_m((before.latitude, before.longitude), (after.latitude, after.longitude))
    apart -= before.radius_m + after.radius_m + 2 * MAX_ACCURACY_M
    seconds = abs((came_at - left_at).total_seconds())
    return geofences.is_too_fast(apart, seconds)


async def _complete(
    tx: Session,
    caller: UUID,
    quest: Quest,
    visits: list[QuestVisit],
    at: datetime,
    family: list[UUID],
) -> None:
    """Give the award of a completed quest, once; doubted ones wait for a reviewer at least."""
    if await queries.completion(tx, quest.id, family) is not None:
        return
    flagged = any(one.flagged is not None for one in visits)
    doubted = flagged or await quest_queries.has_part(tx, quest.id, family)
    completion = QuestCompletion(
        quest_id=quest.id, person_id=caller, completed_at=at, doubted=doubted, award_id=new_id()
    )
    await queries.insert(tx, completion)
    granted = await _grant(tx, quest, completion)
    await notify.send(
        tx,
        caller,
        "quest_completed",
        ("quest", quest.id),
        title=quest.title,
        points=granted.award.points,
        available=granted.award.state == AwardState.available,
    )


async def _grant(tx: Session, quest: Quest, completion: QuestCompletion) -> Granted:
    org = await orgs.get(tx, quest.org_id)
    # Announced rules apply, also if a rule has been switched off since.
    at = completion.completed_at
    policy = (await history.load(tx)).announced(at, org.path, quest.rule_key)
    announced = policy.document.rules[quest.rule_key]
    rule = rules.as_visited(announced)
    asks_more = rules.asks_more_than_attendance(rule)
    proven = rule != announced and not asks_more
    grant = Grant(
        id=completion.award_id,
        reference=f"quest:{quest.id}:{completion.person_id}",
        person_id=completion.person_id,
        org_id=quest.org_id,
        policy=policy,
        rule=rule,
        points=rule.points,
        minutes=0,
        proof="poster_code",
        title=f"{rule.name}：{quest.title}",
        evidence={rules.PROVEN_BY_VISITS: str(quest.needed)} if proven else {},
        proposed_by=quest.created_by if asks_more else None,
        proposal_id=quest.id if asks_more else None,
        is_own_act=completion.doubted,
    )
    [granted] = await granting.grant(tx, [grant], at)
    await wording.tell_reviewers(tx, [granted.award])
    return granted


async def _result(
    tx: Session,
    quest: Quest,
    checkpoint: QuestCheckpoint,
    made: QuestVisit,
    family: list[UUID],
) -> QuestVisitResultOut:
    visited = QuestVisitOut(
        id=made.id,
        quest_id=quest.id,
        number=checkpoint.number,
        visited_at=made.visited_at,
    )
    return QuestVisitResultOut(visit=visited, mine=await quests.progress(tx, quest, family))
