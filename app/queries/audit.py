"""SQL of the audit trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, or_, select

from app.core.db import Session
from app.models.audit import AuditEntry
from app.models.orgs import Org
from app.models.people import Person


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Entries about a subject, by an actor, from ``since`` on and before ``until``.

    ``subject_type`` is a singular noun (``award``), ``subject_id`` one record.
    """

    subject_type: str | None = None
    subject_id: UUID | None = None
    actor_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def insert(session: Session, entry: AuditEntry) -> None:
    session.add(entry)
    await session.flush()


async def find(session: Session, entry_id: UUID) -> AuditEntry | None:
    return await session.get(AuditEntry, entry_id)


async def page(
    session: Session, org: Org, wanted: AuditFilter, before: UUID | None, limit: int
) -> Sequence[tuple[AuditEntry, str | None]]:
    """Read entries of a subtree with the names of their actors, newest first.

    Entries without an organisation belong to every root.
    """
    is_below = col(Org.path).startswith(org.path, autoescape=True)
    is_nobodys = col(AuditEntry.org_id).is_(None)
    query: Any = (
        select(AuditEntry, Person.display_name)
        .outerjoin(Org, col(Org.id) == col(AuditEntry.org_id))
        .outerjoin(Person, col(Person.id) == col(AuditEntry.actor_id))
        .where(or_(is_below, is_nobodys) if org.parent_id is None else is_below)
        .order_by(col(AuditEntry.id).desc())
        .limit(limit)
    )
    for name in ("subject_type", "subject_id", "actor_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(getattr(AuditEntry, name) == value)
    if wanted.since is not None:
        query = query.where(col(AuditEntry.at) >= wanted.since)
    if wanted.until is not None:
        query = query.where(col(AuditEntry.at) < wanted.until)
    if before is not None:
        query = query.where(col(AuditEntry.id) < before)
    return [(entry, name) for entry, name in await session.exec(query)]
