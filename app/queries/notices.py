"""SQL of notices."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.notices import Notice


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A notice as it is inserted: with ``facts`` about a subject, or with a ``text`` of before."""

    person_id: UUID
    kind: str
    outbox_id: int
    subject_type: str | None = None
    subject_id: UUID | None = None
    facts: dict[str, Any] | None = None
    text: str | None = None


_COLUMNS = """
INSERT INTO notices AS n (person_id, kind, outbox_id, subject_type, subject_id, facts, text, merges)
VALUES (:person_id, :kind, :outbox_id, :subject_type, :subject_id, CAST(:facts AS jsonb), :text,
        :merges)
"""

_INSERT = f"{_COLUMNS} ON CONFLICT (outbox_id) DO NOTHING"

# It gets a new id, so that it comes first again, and who has read up to the old one has not
# read this. A message and its notice are of one transaction: only the newest could come again.
_MERGE = f"""
{_COLUMNS}
ON CONFLICT (person_id, kind, subject_id) WHERE merges AND read_at IS NULL
DO UPDATE SET id = excluded.id, created_at = excluded.created_at, outbox_id = excluded.outbox_id,
    facts = excluded.facts || jsonb_build_object('count',
        CAST(n.facts ->> 'count' AS int) + CAST(excluded.facts ->> 'count' AS int))
WHERE n.outbox_id <> excluded.outbox_id
"""

_UNREAD = """
SELECT count(*) AS n FROM (
    SELECT FROM notices WHERE person_id = :person AND read_at IS NULL LIMIT :most
) unread
"""

_READ = """
UPDATE notices SET read_at = now() WHERE person_id = :person AND read_at IS NULL AND id <= :up_to
"""


async def insert(session: Session, notice: NewNotice, *, merges: bool = False) -> None:
    """Insert a notice; a second delivery of its message is none.

    One that ``merges`` adds its count to the unread one of the same person, kind and subject.
    """
    facts = json.dumps(notice.facts, ensure_ascii=False) if notice.facts is not None else None
    values = {name: getattr(notice, name) for name in NewNotice.__dataclass_fields__}
    values |= {"facts": facts, "merges": merges}
    await session.fetch(_MERGE if merges else _INSERT, values)


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


async def unread(session: Session, person: UUID, most: int) -> int:
    """Count a person's unread notices, up to ``most``."""
    return int((await session.fetch(_UNREAD, {"person": person, "most": most}))[0].n)


async def mark_read(session: Session, person: UUID, up_to: UUID) -> None:
    """Mark a person's notices as read, up to an id."""
    await session.fetch(_READ, {"person": person, "up_to": up_to})
