"""Notices: the inbox of the mini-program, filled from the outbox."""

from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.paging import Page, PageParams, by_id
from app.queries import notices as queries
from app.schemas.notices import NoticeOut


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[NoticeOut]:
    """Return the person's notices, newest first."""
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, person_id, before, limit),
        NoticeOut.model_validate,
    )


async def deliver(tx: Session, outbox_id: int, topic: str, payload: dict[str, Any]) -> None:
    """Put an outbox message ``notices.<kind>`` into the inbox of the person it names."""
    await queries.insert(
        tx,
        person=UUID(payload["person_id"]),
        kind=topic.removeprefix("notices."),
        body=payload["text"],
        outbox_id=outbox_id,
    )
