"""SQL of notices."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, cast, delete, func, update
from sqlalchemy.dialects.postgresql import insert as insert_into
from sqlmodel import col, select

from app.core.db import Session
from app.models.notices import Notice


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A notice to insert: with ``facts`` and a subject, or (old messages) with a ``text``."""

    person_id: UUID
    kind: str
    outbox_id: int
    subject_type: str | None = None
    subject_id: UUID | None = None
    facts: dict[str, Any] | None = None
    text: str | None = None


_INSERT = """
INSERT INTO notices (person_id, kind, outbox_id, subject_type, subject_id, facts, text)
SELECT * FROM unnest(CAST(:person_id AS uuid[]), CAST(:kind AS text[]),
    CAST(:outbox_id AS bigint[]), CAST(:subject_type AS text[]), CAST(:subject_id AS uuid[]),
    CAST(:facts AS jsonb[]), CAST(:text AS text[]))
ON CONFLICT (outbox_id) DO NOTHING
"""


async def insert(session: Session, notices: Sequence[NewNotice]) -> None:
    """Insert notices in order; messages that were delivered before are ignored."""
    names = NewNotice.__dataclass_fields__
    values = {name: [getattr(one, name) for one in notices] for name in names}
    facts = [
        None if one is None else json.dumps(one, ensure_ascii=False) for one in values["facts"]
    ]
    await session.fetch(_INSERT, values | {"facts": facts})


async def merge(session: Session, notice: NewNotice) -> None:
    """Insert a notice, or add its ``count`` to the unread one of its person, kind and subject.

    The existing notice gets the new id: it moves to the top and is unread for a client that has
    read up to the old id. Each message is handled in one transaction with its notice, so only
    the last one can be delivered twice; it is counted once.
    """
    new = insert_into(Notice).values(**asdict(notice), merges=True)
    comes: Any = new.excluded.facts
    had: Any = col(Notice.facts)
    counts = [cast(facts["count"].astext, Integer) for facts in (had, comes)]
    await session.execute(
        new.on_conflict_do_update(
            index_elements=["person_id", "kind", "subject_id"],
            index_where=and_(col(Notice.merges), col(Notice.read_at).is_(None)),
            set_={
                "id": new.excluded.id,
                "created_at": new.excluded.created_at,
                "outbox_id": new.excluded.outbox_id,
                "facts": comes.op("||")(func.jsonb_build_object("count", counts[0] + counts[1])),
            },
            where=col(Notice.outbox_id) != new.excluded.outbox_id,
        )
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


async def unread(session: Session, person: UUID, most: int) -> int:
    """Count a person's unread notices, up to ``most``."""
    theirs = select(Notice.id).where(Notice.person_id == person, col(Notice.read_at).is_(None))
    query = select(func.count()).select_from(theirs.limit(most).subquery())
    return (await session.exec(query)).one()


async def mark_read(session: Session, person: UUID, up_to: UUID) -> None:
    """Mark a person's notices as read, up to an id."""
    theirs = and_(col(Notice.person_id) == person, col(Notice.read_at).is_(None))
    seen = update(Notice).where(theirs, col(Notice.id) <= up_to)
    await session.execute(seen.values(read_at=func.now()))


async def forget(session: Session, before: UUID, limit: int) -> int:
    """Delete up to ``limit`` notices with ids below ``before``, oldest first; return how many."""
    old = select(Notice.id).where(col(Notice.id) < before).order_by(col(Notice.id)).limit(limit)
    gone = delete(Notice).where(col(Notice.id).in_(old)).returning(col(Notice.id))
    return len((await session.execute(gone)).all())
