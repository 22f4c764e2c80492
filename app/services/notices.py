"""Notices: the inbox of the mini-program, filled from the outbox."""

from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.paging import decode_cursor
from app.queries import notices as queries
from app.schemas.base import Page, page_of
from app.schemas.notices import NoticeOut


async def mine(tx: Session, person_id: UUID, cursor: str | None, limit: int) -> Page[NoticeOut]:
    """Return the person's notices, newest first."""
    key = decode_cursor(cursor, UUID)
    rows = await queries.page(tx, person_id, before=key[0] if key else None, limit=limit + 1)
    return page_of(rows, limit, NoticeOut.model_validate, lambda row: (row.id,))


async def deliver(tx: Session, outbox_id: int, topic: str, payload: dict[str, Any]) -> None:
    """Put an outbox message ``notices.<kind>`` into the inbox of the person it names."""
    await queries.insert(
        tx,
        person=UUID(payload["person_id"]),
        kind=topic.removeprefix("notices."),
        body=payload["text"],
        outbox_id=outbox_id,
    )
