"""Messages of organizers to the participants of an activity, a few on one day."""

from datetime import timedelta
from uuid import UUID

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.models.activity_messages import ActivityMessage
from app.queries import activity_messages as queries
from app.queries import records as record_queries
from app.queries import signups as signup_queries
from app.schemas.activity_messages import ActivityMessageIn, ActivityMessageOut
from app.services import activities, attendance, notify, records
from app.services.quotas import QuotaUsed

MAX_A_DAY = 3


class NobodySignedUp(Refusal):
    code, status, title = "activity_messages.nobody", 409, "Nobody signed up"
    zh, en = "还没有人报名，无人可通知", "Nobody has signed up, so nobody would get it."


class TooManyMessages(QuotaUsed):
    code = "activity_messages.too_many"
    zh, en = (
        "该活动今天的通知次数已达上限",
        "The activity has sent as many messages as a day allows.",
    )


async def send(
    tx: Session, caller: UUID, activity_id: UUID, body: ActivityMessageIn
) -> ActivityMessageOut:
    """Send a message to everybody who has signed up and not cancelled.

    Raises ActivityNotFound, Forbidden, NobodySignedUp, TooManyMessages.
    """
    activity = await activities.co_organized(tx, caller, activity_id, lock=True)
    at = now()
    day = local_date(at)
    used = await queries.count_since(tx, activity_id, midnight(day))
    if used >= MAX_A_DAY:
        opens_at = midnight(day + timedelta(days=1))
        raise TooManyMessages(limit=MAX_A_DAY, used=used, opens_at=opens_at)
    people = await signup_queries.people_of(tx, activity_id)
    if not people:
        raise NobodySignedUp
    message = ActivityMessage(
        org_id=activity.org_id,
        created_by=caller,
        created_at=at,
        activity_id=activity_id,
        text=body.text,
        recipients=len(people),
    )
    about = f"activity:{activity_id}"
    await records.create(tx, caller, message, about=about, recipients=len(people))
    facts = {"title": activity.title, "text": body.text}
    await notify.send(tx, people, "activity_message", ("activity", activity_id), **facts)
    return ActivityMessageOut.model_validate(message)


async def browse(
    tx: Session, caller: UUID, activity_id: UUID, asked: PageParams
) -> Page[ActivityMessageOut]:
    """Return the messages of an activity, newest first. Raises ActivityNotFound, Forbidden."""
    await attendance.readable(tx, caller, activity_id)
    query = record_queries.where(ActivityMessage, activity_id=activity_id)
    return await records.page(tx, query, ActivityMessage, ActivityMessageOut, asked)
