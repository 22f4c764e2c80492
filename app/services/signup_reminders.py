"""Reminders of activities to the people who have a place: the day before, and an hour before."""

from datetime import datetime, timedelta

from app.core.clock import local_date, midnight
from app.core.db import Session
from app.models.notices import NoticeKind
from app.models.signup_reminders import ReminderKind
from app.queries import signup_reminders as queries
from app.services import notify
from app.services.notify import Message

A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)
NOTICE: dict[ReminderKind, str] = {
    ReminderKind.day: NoticeKind.activity_tomorrow,
    ReminderKind.hour: "signup_in_an_hour",
}


async def of_tomorrow(tx: Session, at: datetime, limit: int) -> int:
    """Remind people of what starts on the next day (Asia/Shanghai); return how many.

    One reminder for a sign-up, session and day: the row that records it and the message are written
    in one transaction, and of concurrent workers only one inserts the row.
    """
    tomorrow = local_date(at) + A_DAY
    span = (midnight(tomorrow), midnight(tomorrow + A_DAY))
    return await _remind(tx, ReminderKind.day, span, limit)


async def of_the_next_hour(tx: Session, at: datetime, limit: int) -> int:
    """Remind people of what starts within an hour, as ``of_tomorrow`` does; return how many."""
    return await _remind(tx, ReminderKind.hour, (at, at + AN_HOUR), limit)


async def _remind(
    tx: Session, kind: ReminderKind, span: tuple[datetime, datetime], limit: int
) -> int:
    messages = [
        Message(
            one.person_id,
            ("activity", one.activity_id),
            {"title": one.title, "starts_at": one.starts_at},
        )
        for one in await queries.remind(tx, kind, *span, limit)
    ]
    await notify.send_each(tx, NOTICE[kind], messages)
    return len(messages)
