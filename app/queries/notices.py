"""SQL of notices."""

from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from app.core.db import Session
from app.models.notices import Notice

_INSERT = text("""
INSERT INTO notices (person_id, kind, text, outbox_id) VALUES (:person, :kind, :text, :outbox_id)
ON CONFLICT (outbox_id) DO NOTHING
""")


async def insert(session: Session, *, person: UUID, kind: str, body: str, outbox_id: int) -> None:
    """Insert a notice; a second delivery of its message is none."""
    await session.execute(
        _INSERT, {"person": person, "kind": kind, "text": body, "outbox_id": outbox_id}
    )


async def page(session: Session, person: UUID, before: UUID | None, limit: int) -> list[Notice]:
    """Read a person's notices, newest first."""
    query = (
        select(Notice)
        .where(Notice.person_id == person)
        .order_by(col(Notice.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(Notice.id) < before)
    return list(await session.exec(query))
