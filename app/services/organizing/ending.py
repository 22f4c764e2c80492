"""Ending an activity: cancelled with a reason, closed, or as a draft deleted."""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.models.activities import Activity, ActivityStatus
from app.models.notices import NoticeKind
from app.queries import activities as activity_queries
from app.queries import organizing as queries
from app.queries import shift_holds
from app.queries import signups as signup_queries
from app.schemas.activities import ActivityOut
from app.services import activities, audit, notify
from app.services.activities import ActivityWrongState
from app.services.attachments import storing
from app.services.ledger import moments
from app.services.organizing.editing import ActivityAttended


class ActivityNotBegun(Refusal):
    code, status, title = "activities.not_begun", 409, "Not begun"
    zh, en = (
        "活动尚未开始，只能取消，不能结束",
        "The activity has not begun: it can be cancelled, not closed.",
    )
    fact_names = ("starts_at",)


class ActivityNotOver(Refusal):
    """Somebody has checked in: the minutes of the attendance count until the planned end."""

    code, status, title = "activities.not_over", 409, "Not over"
    zh, en = (
        "已有人签到，活动到计划结束时间后才能结束",
        "Somebody has checked in: it can be closed once its planned end is over.",
    )
    fact_names = ("ends_at",)


async def cancel(tx: Session, caller: UUID, activity_id: UUID, reason: str) -> ActivityOut:
    """Cancel a published activity at which nobody has checked in; who signed up is told.

    Idempotent; the first reason stays. Raises ActivityNotFound, ActivityWrongState,
    ActivityAttended.
    """
    activity = await activities.organized(tx, caller, activity_id, lock=True)
    if activity.status == ActivityStatus.cancelled:
        return ActivityOut.of(activity)
    if activity.status == ActivityStatus.published and activity.checkins:
        raise ActivityAttended(checkins=activity.checkins)
    activity.cancel_reason = reason
    await _move(tx, caller, activity, ActivityStatus.cancelled, reason)
    await shift_holds.end_activity(tx, activity_id)  # other shifts at these times are free now
    people = await signup_queries.people_of(tx, activity_id)
    facts = {"title": activity.title, "starts_at": activity.starts_at, "reason": reason}
    subject = ("activity", activity_id)
    await notify.send(tx, people, NoticeKind.activity_cancelled, subject, **facts)
    return ActivityOut.of(activity)


async def close(tx: Session, caller: UUID, activity_id: UUID) -> ActivityOut:
    """Close a published activity: nobody signs up or checks in any more.

    One at which somebody has checked in is closed after its planned end, until which the attended
    time counts; another one after its start. Idempotent. Raises ActivityNotFound,
    ActivityWrongState, ActivityNotBegun, ActivityNotOver, ClockWrong.
    """
    activity = await activities.organized(tx, caller, activity_id, lock=True)
    if activity.status == ActivityStatus.closed:
        return ActivityOut.of(activity)
    if activity.status == ActivityStatus.published:
        at = await moments.checked_now(tx)
        if at < activity.starts_at:
            raise ActivityNotBegun(starts_at=activity.starts_at)
        if activity.checkins and at < activity.ends_at:
            raise ActivityNotOver(ends_at=activity.ends_at)
    await _move(tx, caller, activity, ActivityStatus.closed)
    return ActivityOut.of(activity)


async def _move(
    tx: Session, caller: UUID, activity: Activity, to: ActivityStatus, reason: str | None = None
) -> None:
    before = activity.status
    if before != ActivityStatus.published:
        raise ActivityWrongState(status=before)
    activity.status = to
    await activity_queries.save(tx, activity)
    await audit.write(tx, caller, to.value, activity, before=before, after=to, reason=reason)


async def delete(tx: Session, caller: UUID, activity_id: UUID) -> None:
    """Delete a draft with its pictures. Raises ActivityNotFound, ActivityWrongState."""
    activity = await activities.organized(tx, caller, activity_id, lock=True)
    if activity.status != ActivityStatus.draft:
        raise ActivityWrongState(status=activity.status)
    for attachment_id in await queries.attachments_of(tx, activity_id):
        await storing.remove(tx, caller, attachment_id)
    await audit.write(tx, caller, "deleted", activity)
    await activity_queries.delete(tx, activity)
