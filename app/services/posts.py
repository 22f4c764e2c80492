"""Posts of volunteers, the shifts that rotas make, and who holds them (decision 0044)."""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from uuid import UUID

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page
from app.core.validation_messages import invalid
from app.models.activities import MAX_DISTANCE, Activity, ActivityStatus
from app.models.posts import MOST, Post
from app.models.sessions import MOST as MOST_SESSIONS
from app.models.sessions import ActivitySession
from app.queries import activities as activity_queries
from app.queries import co_organizers as co_organizer_queries
from app.queries import posts as queries
from app.queries.posts import Holder
from app.schemas.posts import (
    PostIn,
    PostOut,
    RotaDayOut,
    RotaIn,
    RotaOut,
    RotaShiftOut,
    ShiftHolderOut,
    ShiftsCreatedOut,
)
from app.schemas.sessions import SessionIn
from app.services import activities, audit, people, records, sessions
from app.services.sessions import TooManySessions

A_DAY = timedelta(days=1)
# Days of a rota that are shown, without and at most with ``until``.
SHOWN, MOST_SHOWN = timedelta(days=7), timedelta(days=31)


class PostNotFound(Refusal):
    code, status, title = "posts.not_found", 404, "No such post"
    zh, en = "岗位不存在", "There is no such post."


class PostThere(Refusal):
    code, status, title = "posts.there", 409, "Post already"
    zh, en = "该活动已有同名岗位", "The activity has a post of this name already."


class PostUsed(Refusal):
    code, status, title = "posts.used", 409, "Post used"
    zh, en = "该岗位已有班次，不能删除", "The post has shifts, so it stays."
    fact_names = ("used",)


class TooManyPosts(Refusal):
    code, status, title = "posts.too_many", 409, "Too many posts"
    zh, en = "岗位数量已达上限", "The activity has as many posts as it may have."
    fact_names = ("limit", "used")


async def create(tx: Session, caller: UUID, activity_id: UUID, body: PostIn) -> PostOut:
    """Add a post. Raises what ``sessions.opened`` raises, PostThere, TooManyPosts."""
    activity = await sessions.opened(tx, caller, activity_id)
    there = await queries.of_activity(tx, activity_id)
    if body.name in {one.name for one in there}:
        raise PostThere
    if len(there) >= MOST:
        raise TooManyPosts(limit=MOST, used=len(there))
    post = Post(activity_id=activity_id, **body.model_dump())
    await queries.save(tx, post)
    await _save(tx, caller, activity, post)
    return _to_out(post, activity)


async def browse(tx: Session, caller: UUID | None, activity_id: UUID) -> Page[PostOut]:
    """Return the posts of an activity, in one page. Raises ActivityNotFound."""
    activity = await sessions.visible(tx, caller, activity_id)
    found = await queries.of_activity(tx, activity_id)
    return Page(items=[_to_out(one, activity) for one in found])


async def edit(
    tx: Session, caller: UUID, activity_id: UUID, post_id: UUID, version: int, body: PostIn
) -> PostOut:
    """Replace a post.

    Raises what ``sessions.opened`` raises, PreconditionFailed, PostNotFound, PostThere.
    """
    activity = await sessions.opened(tx, caller, activity_id)
    records.require_version(activity.version, version)
    post = await _locked(tx, activity_id, post_id)
    others = [one for one in await queries.of_activity(tx, activity_id) if one.id != post_id]
    if body.name in {one.name for one in others}:
        raise PostThere
    values = body.model_dump()
    if any(getattr(post, name) != value for name, value in values.items()):
        for name, value in values.items():
            setattr(post, name, value)
        await queries.save(tx, post)
        await _save(tx, caller, activity, post)
    return _to_out(post, activity)


async def delete(tx: Session, caller: UUID, activity_id: UUID, post_id: UUID) -> None:
    """Remove a post without shifts.

    Raises what ``sessions.opened`` raises, PostNotFound, PostUsed.
    """
    activity = await sessions.opened(tx, caller, activity_id)
    post = await _locked(tx, activity_id, post_id)
    if used := await queries.shifts(tx, post_id):
        raise PostUsed(used=used)
    await queries.delete(tx, post)
    await _save(tx, caller, activity, post)


async def create_shifts(
    tx: Session, caller: UUID, activity_id: UUID, body: RotaIn
) -> ShiftsCreatedOut:
    """Make the shifts of a rota.

    Raises what ``sessions.opened`` and ``sessions.add`` raise, Invalid (posts, days).
    """
    activity = await sessions.opened(tx, caller, activity_id)
    known = {one.id for one in await queries.of_activity(tx, activity_id)}
    for place, one in enumerate(body.posts):
        if one.post_id not in known:
            raise invalid(f"body.posts.{place}.post_id", "岗位不存在", "no such post")
    days = body.days()
    _require_days(activity, body, days)
    if activity.sessions + len(days) * len(body.posts) > MOST_SESSIONS:
        raise TooManySessions(limit=MOST_SESSIONS, used=activity.sessions)
    wanted = [
        SessionIn(starts_at=start, ends_at=end, post_id=one.post_id, capacity=one.needed)
        for start, end in (_times(day, body) for day in days)
        for one in body.posts
    ]
    made = await sessions.add(tx, caller, activity, wanted)
    return ShiftsCreatedOut(
        activity_id=activity_id,
        created=len(made),
        first_number=made[0].number,
        last_number=made[-1].number,
    )


def _require_days(activity: Activity, body: RotaIn, days: Sequence[date]) -> None:
    """Raise Invalid without a day, and for days that have passed or are too far away."""
    if not days:
        raise invalid(
            "body.weekdays", "期间内没有这些星期", "none of these weekdays between the days"
        )
    if activity.status == ActivityStatus.published and _times(days[0], body)[0] <= now():
        raise invalid("body.since", "应晚于当前时间", "lies in the past")
    if _times(days[0], body)[0] < activity.created_at - MAX_DISTANCE:
        raise invalid("body.since", "早于两年之前", "lies more than two years back")
    if _times(days[-1], body)[1] > activity.created_at + MAX_DISTANCE:
        raise invalid("body.until", "晚于两年之后", "lies more than two years ahead")


def _times(day: date, body: RotaIn) -> tuple[datetime, datetime]:
    """Return when the shifts of a day start and end; Shanghai has no daylight saving time."""
    start, end = (midnight(day) + _since_midnight(one) for one in (body.starts_at, body.ends_at))
    return start, end if end > start else end + A_DAY


def _since_midnight(clock: str) -> timedelta:
    hours, minutes = clock.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


async def rota(
    tx: Session, caller: UUID | None, activity_id: UUID, since: date | None, until: date | None
) -> RotaOut:
    """Return the shifts of some days, with names to who organizes the activity.

    With masked names to auditors, and to who has a shift of it, for swaps. By default of the seven
    days from today on. Raises ActivityNotFound, Invalid (days).
    """
    activity = await sessions.visible(tx, caller, activity_id)
    first = since or local_date(now())
    for name, day in (("since", first), ("until", until or first)):
        if not 2000 <= day.year < 2099:
            raise invalid(f"query.{name}", "日期超出范围", "out of range")
    if until is not None and not timedelta(0) <= until - first < MOST_SHOWN:
        raise invalid("query.until", "最多显示 31 天", "31 days at most, from the first on")
    last = until or first + SHOWN - A_DAY
    found = await queries.shifts_between(tx, activity_id, midnight(first), midnight(last) + A_DAY)
    names = {one.id: one.name for one in await queries.of_activity(tx, activity_id)}
    held = await queries.holders(tx, activity_id, [one.number for one in found])
    shown = await _holders_shown(tx, caller, activity)
    shifts = [_shift(one, names, held, shown) for one in found]
    by_day = groupby(shifts, key=lambda one: local_date(one.starts_at))
    return RotaOut(activity_id=activity_id, days=[_day(day, list(of)) for day, of in by_day])


async def is_organized(tx: Session, caller: UUID | None, activity: Activity) -> bool:
    """Whether the caller organizes the activity, by a role or by name."""
    if caller is None:
        return False
    return await people.holds(
        tx, caller, people.ORGANIZERS, activity.org_path
    ) or await co_organizer_queries.is_one(tx, activity.id, caller)


Shown = Callable[[Holder], ShiftHolderOut]


async def _holders_shown(tx: Session, caller: UUID | None, activity: Activity) -> Shown | None:
    """Return how the caller sees who holds a shift, None if not at all."""
    if await is_organized(tx, caller, activity):
        return ShiftHolderOut.model_validate
    if caller is None or not (
        await queries.has_shift(tx, activity.id, caller)
        or await people.holds(tx, caller, people.READERS, activity.org_path)
    ):
        return None
    return lambda who: ShiftHolderOut(
        signup_id=who.signup_id, person_id=None, display_name=people.masked(who.display_name)
    )


def _shift(
    one: ActivitySession, names: dict[UUID, str], held: Collection[Holder], shown: Shown | None
) -> RotaShiftOut:
    assert one.post_id is not None, "a shift has a post"
    holders = [who for who in held if who.session == one.number]
    return RotaShiftOut(
        **one.model_dump(include={"id", "number", "post_id", "starts_at", "ends_at"}),
        post_name=names[one.post_id],
        needed=one.capacity or 0,
        confirmed=len(holders),
        holders=[shown(who) for who in holders] if shown else None,
    )


def _day(day: date, shifts: list[RotaShiftOut]) -> RotaDayOut:
    return RotaDayOut(
        day=day,
        needed=sum(one.needed for one in shifts),
        confirmed=sum(one.confirmed for one in shifts),
        shifts=sorted(shifts, key=lambda one: (one.starts_at, one.post_name, one.number)),
    )


async def _locked(tx: Session, activity_id: UUID, post_id: UUID) -> Post:
    found = await queries.lock(tx, activity_id, post_id)
    if found is None:
        raise PostNotFound
    return found


async def _save(tx: Session, caller: UUID, activity: Activity, post: Post) -> None:
    await activity_queries.save(tx, activity)
    facts = {"post": str(post.id)}
    await audit.write(tx, caller, "edited", activity, fields=["posts"], facts=facts)
    await activities.note_part(tx, caller, activity, caller)


def _to_out(post: Post, activity: Activity) -> PostOut:
    return PostOut.model_validate(post.model_dump() | {"version": activity.version})
