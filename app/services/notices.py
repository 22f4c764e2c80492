"""Notices: the inbox of the mini-program, filled from the outbox. ``notify`` sends them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.core.clock import local_date, month_start
from app.core.db import Session
from app.core.ids import least_id
from app.core.language import Bilingual
from app.core.paging import PageParams, by_id
from app.models.notices import Notice
from app.models.outbox import OutboxMessage
from app.queries import children as children_queries
from app.queries import notices as queries
from app.queries import people as people_queries
from app.queries.notices import NewNotice
from app.schemas.audit import SubjectOut
from app.schemas.notices import MAX_UNREAD, NoticeOut, NoticePage, UnreadOut
from app.schemas.notify import OTHER, OTHER_KIND, kinds
from app.services.policies import naming
from app.services.policies.naming import Book


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> NoticePage:
    """Return the person's notices, newest first, in the language of the request."""

    async def read(before: UUID | None, limit: int) -> list[NoticeOut]:
        found = await queries.page(tx, person_id, before, limit)
        names = await naming.book(tx, [text for one in found for text in _texts(one)])
        return [_to_out(one, names) for one in found]

    page = await by_id(asked, read, lambda one: one)
    unread = await queries.unread(tx, person_id, MAX_UNREAD)
    return NoticePage(items=page.items, next_cursor=page.next_cursor, unread=unread)


async def read(tx: Session, person_id: UUID, up_to: UUID) -> UnreadOut:
    """Mark the person's notice of this id and all older ones as read; return the unread count.

    The id is used as a point in time: it need not be a notice of the person, and may have been
    replaced when its notice merged into a newer one.
    """
    await queries.mark_read(tx, person_id, up_to)
    return UnreadOut(unread=await queries.unread(tx, person_id, MAX_UNREAD))


async def forget_old(tx: Session, *, at: datetime, months: int, limit: int) -> int:
    """Delete up to ``limit`` notices from before the month ``months`` ago; return how many."""
    day = local_date(at)
    before = month_start(day.year, day.month, plus=-months)
    return await queries.forget(tx, least_id(before), limit)


async def deliver(tx: Session, messages: Sequence[OutboxMessage]) -> None:
    """Insert outbox messages ``notices.<kind>`` into the inboxes of their recipients.

    Raises KeyError, ValueError or IntegrityError if any message is invalid.
    """
    new = await _redirected(tx, [_new(message) for message in messages])
    await queries.insert(tx, [one for one in new if not kinds()[one.kind].merges])
    merging = [one for one in new if kinds()[one.kind].merges]
    # the order of relays that handle messages one by one
    for one in sorted(merging, key=lambda one: one.person_id):
        await queries.merge(tx, one)


async def _redirected(tx: Session, new: Sequence[NewNotice]) -> list[NewNotice]:
    """Address what is for a child to the guardian, for a merged account to the one kept."""
    into = await children_queries.guardians(tx, sorted({one.person_id for one in new}))
    new = [replace(one, person_id=into.get(one.person_id, one.person_id)) for one in new]
    into = await people_queries.kept(tx, sorted({one.person_id for one in new}))
    return [replace(one, person_id=into.get(one.person_id, one.person_id)) for one in new]


def _new(message: OutboxMessage) -> NewNotice:
    """Parse a message. Messages from before there were facts have a ``text`` instead."""
    payload = message.payload
    subject = payload.get("subject")
    return NewNotice(
        person_id=UUID(payload["person_id"]),
        kind=message.topic.removeprefix("notices."),
        outbox_id=message.id,
        subject_type=subject["type"] if subject else None,
        subject_id=UUID(subject["id"]) if subject else None,
        facts=payload.get("facts"),
        text=payload.get("text"),
    )


def _texts(notice: Notice) -> list[str]:
    return [one for one in (notice.facts or {}).values() if isinstance(one, str)]


def _to_out(notice: Notice, names: Book) -> NoticeOut:
    words = kinds().get(notice.kind)
    text = Bilingual(notice.text or "", notice.text or "")
    if words is not None and notice.facts is not None:
        facts = notice.facts.items()
        text = words.text.filled(
            {name: names.said(one) if isinstance(one, str) else one for name, one in facts}
        )
    subject = None
    if notice.subject_type is not None and notice.subject_id is not None:
        subject = SubjectOut(type=notice.subject_type, id=notice.subject_id)
    return NoticeOut(
        id=notice.id,
        kind=notice.kind if words else OTHER_KIND,
        title=words.title if words else OTHER,
        text=text,
        subject=subject,
        is_read=notice.read_at is not None,
        created_at=notice.created_at,
    )
