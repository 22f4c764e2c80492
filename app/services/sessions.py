"""Sessions of activities: added, changed and removed by who organizes them (decision 0044).

An activity with sessions begins with the first of them and ends with the last. Each change locks
the activity and gives it the next version, so that a check-in under way runs again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.paging import Page, PageParams, keyset
from app.core.validation_messages import invalid
from app.models.activities import MAX_DISTANCE, Activity, ActivityStatus
from app.models.sessions import MOST, ActivitySession
from app.queries import activities as activity_queries
from app.queries import people as people_queries
from app.queries import posts as post_queries
from app.queries import sessions as queries
from app.schemas.sessions import OwnSeriesOut, SessionEditIn, SessionIn, SessionOut, SessionsIn
from app.services import activities, audit, notify, orgs, records, shift_holds, waiting_lists
from app.services.activities import ActivityNotFound, ActivityWrongState
from app.services.organizing import editing
from app.services.organizing.editing import ActivityAttended, ActivityBegun, CapacityTaken

TIME = ("starts_at", "ends_at")


class SessionNotFound(Refusal):
    code, status, title = "sessions.not_found", 404, "No such session"
    zh, en = "场次不存在", "There is no such session."


class NotOnShift(Refusal):
    code, status, title = "sessions.not_on_shift", 403, "Not on this shift"
    zh, en = "您没有该班次的名额", "You have no confirmed place at this shift."


class TooManySessions(Refusal):
    code, status, title = "sessions.too_many", 409, "Too many sessions"
    zh, en = "场次数量超过上限", "The activity would have more sessions than it may have."
    fact_names = ("limit", "used")


class SessionTaken(Refusal):
    code, status, title = "sessions.taken", 409, "Session taken"
    zh, en = "已有人报名该场次，不能删除", "People have signed up for the session, so it stays."
    fact_names = ("used",)


async def create(
    tx: Session, caller: UUID, activity_id: UUID, body: SessionsIn
) -> Page[SessionOut]:
    """Add sessions; who signed up for the whole is told if its times change.

    Raises what ``opened`` and ``add`` raise, Invalid (post).
    """
    activity = await opened(tx, caller, activity_id)
    posts = {one.id for one in await post_queries.of_activity(tx, activity_id)}
    for place, one in enumerate(body.sessions):
        if one.post_id is not None and one.post_id not in posts:
            raise invalid(f"body.sessions.{place}.post_id", "岗位不存在", "no such post")
    made = await add(tx, caller, activity, body.sessions)
    return Page(items=[to_out(one, activity) for one in made])


async def opened(tx: Session, caller: UUID, activity_id: UUID) -> Activity:
    """Lock and return an activity whose sessions and posts may change.

    Raises ActivityNotFound, Forbidden, OrgClosed, ActivityWrongState.
    """
    activity = await activities.co_organized(tx, caller, activity_id, lock=True)
    await orgs.get_open(tx, activity.org_id)
    if activity.status not in editing.EDITABLE:
        raise ActivityWrongState(status=activity.status)
    return activity


async def add(
    tx: Session, caller: UUID, activity: Activity, wanted: Sequence[SessionIn]
) -> list[ActivitySession]:
    """Add sessions to a locked activity, numbered by start.

    Raises TooManySessions, ActivityAttended (as a whole), ActivityBegun, Invalid (times).
    """
    used = activity.sessions
    if used + len(wanted) > MOST:
        raise TooManySessions(limit=MOST, used=used)
    if activity.checkins and not used:
        raise ActivityAttended(checkins=activity.checkins)
    at = now()
    for place, one in enumerate(wanted):
        _require_reach(activity, one, f"sessions.{place}.")
        if activity.status == ActivityStatus.published:
            activities.require_to_come(f"sessions.{place}.starts_at", one.starts_at, at)
    made = [
        ActivitySession(activity_id=activity.id, number=number, **one.model_dump())
        for number, one in enumerate(
            sorted(wanted, key=lambda one: one.starts_at), start=activity.last_session + 1
        )
    ]
    activity.last_session += len(made)
    activity.sessions += len(made)
    await queries.insert(tx, made)
    is_moved = await _refit(tx, activity, at, "sessions")
    await _save(tx, caller, activity, sessions=len(made))
    if is_moved:
        people = await queries.people(tx, activity.id, [0])
        await editing.tell(tx, activity, people, TIME)
    return made


async def edit(
    tx: Session, caller: UUID, activity_id: UUID, number: int, version: int, body: SessionEditIn
) -> SessionOut:
    """Replace a session; who has signed up is told of other times, who waits gets new places.

    Raises what ``opened`` raises, PreconditionFailed, SessionNotFound, ActivityAttended,
    ActivityBegun, CapacityTaken, SessionClash, Invalid.
    """
    activity, found = await _locked(tx, caller, activity_id, number, version)
    values = body.model_dump()
    changed = [name for name, value in values.items() if getattr(found, name) != value]
    moved = [name for name in TIME if name in changed]
    at = now()
    if moved:
        _require_movable(activity, found, body, moved, at)
    if body.capacity is not None and body.capacity < found.signups_confirmed:
        raise CapacityTaken(limit=body.capacity, used=found.signups_confirmed)
    if body.capacity is None and found.post_id is not None:
        raise invalid("body.capacity", "班次须填写所需人数", "a shift says how many it needs")
    if not changed:
        return to_out(found, activity)
    for name in changed:
        setattr(found, name, values[name])
    await queries.save(tx, found)
    if moved:
        await shift_holds.retime(tx, found)
    await _refit(tx, activity, at, "ends_at")
    await _save(tx, caller, activity, session=number)
    if "capacity" in changed and await waiting_lists.fill_session(tx, activity_id, number, at):
        await queries.reread(tx, activity, found)
    if moved:
        await _tell(tx, activity, found, "session_changed", ends_at=found.ends_at)
    return to_out(found, activity)


async def delete(tx: Session, caller: UUID, activity_id: UUID, number: int) -> None:
    """Remove a session that has not begun and that nobody signed up for.

    Who signed up for the whole is told. Raises what ``opened`` raises, SessionNotFound,
    ActivityAttended, ActivityBegun, SessionTaken.
    """
    activity, found = await _locked(tx, caller, activity_id, number)
    if found.checkins:
        raise ActivityAttended(checkins=found.checkins)
    at = now()
    if activity.status == ActivityStatus.published and at >= found.starts_at:
        raise ActivityBegun(starts_at=found.starts_at, ends_at=found.ends_at)
    if used := await queries.signups(tx, activity_id, number):
        raise SessionTaken(used=used)
    await _tell(tx, activity, found, "session_removed")
    await queries.delete(tx, found)
    await _refit(tx, activity, at, "ends_at")
    activity.sessions -= 1
    await _save(tx, caller, activity, session=number)


async def browse(
    tx: Session, caller: UUID | None, activity_id: UUID, post_id: UUID | None, asked: PageParams
) -> Page[SessionOut]:
    """Return sessions by start; of a draft to its readers. Raises ActivityNotFound."""
    activity = await visible(tx, caller, activity_id)

    async def read(after: tuple[Any, ...] | None, limit: int) -> Sequence[ActivitySession]:
        place = (after[0], after[1]) if after else None
        return await queries.of_activity(tx, activity.id, post_id=post_id, after=place, limit=limit)

    return await keyset(
        asked,
        (datetime, int),
        read,
        lambda one: to_out(one, activity),
        lambda one: (one.starts_at, one.number),
    )


async def visible(tx: Session, caller: UUID | None, activity_id: UUID) -> Activity:
    """Return an activity that the caller may see. Raises ActivityNotFound."""
    activity = await activity_queries.find(tx, activity_id)
    if activity is None or not await activities.may_see(tx, caller, activity):
        raise ActivityNotFound
    return activity


async def my_series(tx: Session, caller: UUID, activity_id: UUID) -> OwnSeriesOut:
    """Return how many sessions the caller attended, by any account. Raises ActivityNotFound."""
    activity = await visible(tx, caller, activity_id)
    family = await people_queries.family(tx, caller)
    attended, needed = await queries.attended(tx, activity, family), activity.minimum_attendance
    return OwnSeriesOut(
        activity_id=activity.id,
        sessions=activity.sessions,
        attended=attended,
        needed=needed,
        is_reached=needed is not None and attended >= needed,
    )


def to_out(one: ActivitySession, activity: Activity) -> SessionOut:
    return SessionOut.model_validate(one.model_dump() | {"version": activity.version})


async def _locked(
    tx: Session, caller: UUID, activity_id: UUID, number: int, version: int | None = None
) -> tuple[Activity, ActivitySession]:
    activity = await opened(tx, caller, activity_id)
    if version is not None:
        records.require_version(activity.version, version)
    found = await queries.lock(tx, activity_id, number)
    if found is None:
        raise SessionNotFound
    return activity, found


def _require_reach(activity: Activity, one: SessionEditIn, where: str = "") -> None:
    """Raise Invalid for a session more than two years away from when the activity was created."""
    if one.starts_at < activity.created_at - MAX_DISTANCE:
        raise invalid(f"body.{where}starts_at", "早于两年之前", "lies more than two years back")
    if one.ends_at > activity.created_at + MAX_DISTANCE:
        raise invalid(f"body.{where}ends_at", "晚于两年之后", "lies more than two years ahead")


def _require_movable(
    activity: Activity,
    found: ActivitySession,
    body: SessionEditIn,
    moved: Sequence[str],
    at: datetime,
) -> None:
    """Raise ActivityAttended, ActivityBegun or Invalid for times that stay (decision 0027)."""
    if found.checkins:
        msg = Bilingual("已有人签到，不能修改", "fixed since people have checked in")
        fields = [{"field": f"body.{name}", "msg": msg} for name in moved]
        raise ActivityAttended(checkins=found.checkins, fields=fields)
    _require_reach(activity, body)
    if activity.status != ActivityStatus.published:
        return
    if at >= found.ends_at or (at >= found.starts_at and "starts_at" in moved):
        raise ActivityBegun(starts_at=found.starts_at, ends_at=found.ends_at)
    for name in moved:
        activities.require_to_come(name, getattr(body, name), at)


async def _refit(tx: Session, activity: Activity, at: datetime, field: str) -> bool:
    """Give the activity the times of its sessions; return whether they are others.

    Sign-up that closed with the activity still does. Without a session it keeps its times. Raises
    ActivityBegun for a published activity: no new start once it has begun, no new end once it is
    over; Invalid for ``field`` if sign-up would close before it opens.
    """
    starts_at, ends_at = await queries.span(tx, activity.id) or (
        activity.starts_at,
        activity.ends_at,
    )
    has_other_start, has_other_end = starts_at != activity.starts_at, ends_at != activity.ends_at
    if activity.status == ActivityStatus.published and (
        (has_other_start and at >= activity.starts_at) or (has_other_end and at >= activity.ends_at)
    ):
        raise ActivityBegun(starts_at=activity.starts_at, ends_at=activity.ends_at)
    if activity.signup_closes_at == activity.ends_at or activity.signup_closes_at > ends_at:
        activity.signup_closes_at = ends_at
    if activity.signup_opens_at >= activity.signup_closes_at:
        raise invalid(f"body.{field}", "早于报名开始时间", "sign-up would close before it opens")
    activity.starts_at, activity.ends_at = starts_at, ends_at
    return has_other_start or has_other_end


async def _save(tx: Session, caller: UUID, activity: Activity, **facts: int) -> None:
    await activity_queries.save(tx, activity)
    await audit.write(tx, caller, "edited", activity, fields=["sessions"], facts=facts)
    await activities.note_part(tx, caller, activity, caller)


async def _tell(
    tx: Session, activity: Activity, one: ActivitySession, kind: str, **facts: datetime
) -> None:
    people = await queries.people(tx, activity.id, [0, one.number])
    facts |= {"starts_at": one.starts_at}
    subject = ("activity", activity.id)
    await notify.send(tx, people, kind, subject, title=activity.title, number=one.number, **facts)
