"""Editing an activity: what may change when, and who is told (decision 0027)."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.validation_messages import invalid
from app.models.activities import Activity, ActivityStatus
from app.models.notices import NoticeKind
from app.queries import activities as activity_queries
from app.queries import organizing as queries
from app.queries import sessions as session_queries
from app.queries import signups as signup_queries
from app.queries import waiting_lists as waiting_queries
from app.schemas.activities import ActivityOut
from app.schemas.organizing import ActivityEditIn
from app.services import activities, audit, eligibility, notify, orgs, records, waiting_lists

EDITABLE = (ActivityStatus.draft, ActivityStatus.published)
# What the awards of those who have checked in were computed from; `ledger verify` compares it.
FIXED_BY_CHECKINS = {"starts_at", "ends_at", "rule_key", "checks_out", "signup_for"}
# What people were told before they signed up.
FIXED_BY_SIGNUPS = {"rule_key", "checks_out", "signup_for", "minimum_attendance"}
TIME = {"starts_at", "ends_at"}
PLACE = {"location_name", "latitude", "longitude"}
COUNTERS = ("signups_confirmed", "signups_waitlisted", "last_queue_number")
NOWHERE = "—"


class ActivityAttended(Refusal):
    code, status, title = "activities.attended", 409, "Attended already"
    zh, en = (
        "已有人签到：不能取消，也不能改时间和积分规则",
        "People have checked in: it cannot be cancelled, nor get other times or another rule.",
    )
    fact_names = ("checkins",)


class ActivityBegun(Refusal):
    """Who did not come could give the place back, were the start moved to a later time."""

    code, status, title = "activities.begun", 409, "Begun already"
    zh, en = (
        "活动已开始，不能改开始时间；结束后不能改时间",
        "It has begun: the start stays, and once it is over the end does too.",
    )
    fact_names = ("starts_at", "ends_at")


class ActivityAnnounced(Refusal):
    code, status, title = "activities.announced", 409, "Announced already"
    zh, en = (
        "已有人报名，不能改积分规则、报名对象、签退要求和结业场次",
        "People have signed up: the rule, what they sign up for and what completes it stay.",
    )
    fact_names = ("used",)


class ActivityInSessions(Refusal):
    """It begins with the first of its sessions and ends with the last."""

    code, status, title = "activities.in_sessions", 409, "Times of its sessions"
    zh, en = (
        "活动时间由各场次决定，请修改场次",
        "Its sessions have the times: change these.",
    )
    fact_names = ("starts_at", "ends_at")


class CapacityTaken(Refusal):
    """Facts: ``limit``, the capacity asked for, and ``used``, the places that are taken."""

    code, status, title = "activities.capacity_taken", 409, "Capacity taken"
    zh, en = (
        "名额少于已确认的人数",
        "More people have a place than the capacity would allow.",
    )
    fact_names = ("limit", "used")


async def edit(
    tx: Session, caller: UUID, activity_id: UUID, version: int, body: ActivityEditIn
) -> ActivityOut:
    """Replace the content of a draft or a published activity; those who signed up are told.

    Raises ActivityNotFound, Forbidden, PreconditionFailed, OrgClosed, ActivityWrongState,
    ActivityAttended, ActivityBegun, ActivityAnnounced, ActivityInSessions, CapacityTaken, Invalid.
    """
    activity = await activities.co_organized(tx, caller, activity_id, lock=True)
    records.require_version(activity.version, version)
    await orgs.get_open(tx, activity.org_id)
    if activity.status not in EDITABLE:
        raise activities.ActivityWrongState(status=activity.status)
    values = _values(activity, body)
    changed = {name for name, value in values.items() if getattr(activity, name) != value}
    await _require_allowed(tx, activity, body, changed)
    if not changed:
        return ActivityOut.of(activity)
    for name in changed - {"capacity"}:
        setattr(activity, name, values[name])
    if activity.signup_opens_at >= activity.signup_closes_at:
        raise invalid("body.signup_closes_at", "早于报名开始时间", "lies before sign-up opens")
    activities.require_places(activity)
    told = await signup_queries.people_of(tx, activity_id) if changed & (TIME | PLACE) else []
    if "capacity" in changed:
        await _fit(tx, activity, body)
    await activity_queries.save(tx, activity)
    await audit.write(tx, caller, "edited", activity, fields=sorted(changed))
    await activities.note_part(tx, caller, activity, caller)
    await tell(tx, activity, told, changed)
    return ActivityOut.of(activity)


def _values(activity: Activity, body: ActivityEditIn) -> dict[str, Any]:
    """Return the columns that an edit asks for."""
    opens = body.signup_opens_at or min(activity.signup_opens_at, body.starts_at)
    closes = body.signup_closes_at or body.ends_at
    times = {"signup_opens_at": opens, "signup_closes_at": closes}
    return body.columns() | times


async def _require_allowed(
    tx: Session, activity: Activity, body: ActivityEditIn, changed: Collection[str]
) -> None:
    fixed = sorted(FIXED_BY_CHECKINS.intersection(changed))
    if activity.checkins and fixed:
        msg = Bilingual("已有人签到，不能修改", "fixed since people have checked in")
        fields = [{"field": f"body.{name}", "msg": msg} for name in fixed]
        raise ActivityAttended(checkins=activity.checkins, fields=fields)
    if "eligibility" in changed:
        await eligibility.require_known(tx, activity.org_path, body.eligibility)
    if FIXED_BY_SIGNUPS.intersection(changed) and (
        signed_up := await session_queries.signups(tx, activity.id)
    ):
        raise ActivityAnnounced(used=signed_up)
    if {"rule_key", "checks_out"}.intersection(changed):
        rule_key, checks_out = body.rule_key, body.checks_out
        await activities.require_rule(tx, activity.org_path, rule_key, checks_out=checks_out)
    if moved := TIME.intersection(changed):
        if activity.sessions:
            raise ActivityInSessions(starts_at=activity.starts_at, ends_at=activity.ends_at)
        activities.require_limits(body, activity.created_at)
        if activity.status == ActivityStatus.published:
            _require_to_come(activity, body, moved)
    if (
        body.cover_id is not None
        and "cover_id" in changed
        and not await queries.is_picture_of(tx, body.cover_id, activity.id)
    ):
        raise invalid("body.cover_id", "不是该活动的图片", "no picture of this activity")


def _require_to_come(activity: Activity, body: ActivityEditIn, moved: Collection[str]) -> None:
    """Raise ActivityBegun, or Invalid, if a published activity would get a time that has passed."""
    at = now()
    if at >= activity.ends_at or (at >= activity.starts_at and "starts_at" in moved):
        raise ActivityBegun(starts_at=activity.starts_at, ends_at=activity.ends_at)
    for name in sorted(moved):
        activities.require_to_come(name, getattr(body, name), at)


async def _fit(tx: Session, activity: Activity, body: ActivityEditIn) -> None:
    """Set the capacity and the counters: fill free places, or move the latest to the waiting list.

    They are written in one statement, because a CHECK compares them. Raises CapacityTaken.
    """
    seats = (await waiting_queries.lock_seats(tx, [activity.id]))[activity.id]
    sessions = await waiting_lists.sessions_of(tx, seats)
    places, taken = body.capacity, seats.signups_confirmed
    seats.capacity = places
    if places is not None and places < taken:
        moves = body.waitlist_latest
        if not moves or not await waiting_lists.put_back(tx, seats, sessions, taken - places):
            raise CapacityTaken(limit=places, used=taken)
    elif now() < activity.ends_at:
        await waiting_lists.fill(tx, seats, sessions, now())
    if sessions:
        await waiting_queries.set_session_counters(tx, sessions)
    for name in COUNTERS:
        setattr(activity, name, getattr(seats, name))
    activity.capacity = places


async def tell(
    tx: Session, activity: Activity, people: Collection[UUID], changed: Collection[str]
) -> None:
    """Tell people of other times or of another place; ``changed``: names of columns."""
    await notify.send(
        tx,
        people,
        NoticeKind.activity_changed,
        ("activity", activity.id),
        title=activity.title,
        starts_at=activity.starts_at,
        ends_at=activity.ends_at,
        retimed=not TIME.isdisjoint(changed),
        place=activity.location_name or NOWHERE,
        relocated=not PLACE.isdisjoint(changed),
    )
