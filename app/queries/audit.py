"""SQL of the audit trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.audit import AuditEntry
from app.models.orgs import Org
from app.models.people import Person


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: about a subject, by an actor, from a moment on and before another."""

    subject_type: str | None = None
    subject_id: UUID | None = None
    actor_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def insert(session: Session, entry: AuditEntry) -> None:
    session.add(entry)
    await session.flush()


async def page(
    session: Session, org_path: str, wanted: AuditFilter, before: UUID | None, limit: int
) -> Sequence[tuple[AuditEntry, str | None]]:
    """Read entries of a subtree with the names of their actors, newest first."""
    query: Any = (
        select(AuditEntry, Person.display_name)
        .join(Org, col(Org.id) == col(AuditEntry.org_id))
        .outerjoin(Person, col(Person.id) == col(AuditEntry.actor_id))
        .where(col(Org.path).startswith(org_path, autoescape=True))
        .order_by(col(AuditEntry.id).desc())
        .limit(limit)
    )
    if wanted.subject_type is not None:
        query = query.where(AuditEntry.subject_type == wanted.subject_type)
    if wanted.subject_id is not None:
        query = query.where(AuditEntry.subject_id == wanted.subject_id)
    if wanted.actor_id is not None:
        query = query.where(AuditEntry.actor_id == wanted.actor_id)
    if wanted.since is not None:
        query = query.where(col(AuditEntry.at) >= wanted.since)
    if wanted.until is not None:
        query = query.where(col(AuditEntry.at) < wanted.until)
    if before is not None:
        query = query.where(col(AuditEntry.id) < before)
    return [(entry, name) for entry, name in await session.exec(query)]
