"""The audit trail: every decision leaves an entry in the transaction that carries it out.

Who, what, about what, from which state to which, why, under which request. Fields are named,
their values are not: the trail holds nothing personal.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from app.core.db import Session
from app.core.logging import request_id
from app.core.paging import Page, PageParams, keyset
from app.models.audit import AuditEntry
from app.models.people import Role
from app.queries import audit as queries
from app.queries.audit import AuditFilter
from app.schemas.audit import ActorOut, AuditEntryOut, SubjectOut
from app.services import orgs, people

READERS = (Role.auditor, Role.administrator)


class Subject(Protocol):
    """What a decision is about: any row with an id and an organisation."""

    id: UUID
    org_id: UUID


def type_of(subject: object) -> str:
    """Return the noun of a row: ``fund_receipt`` for a FundReceipt."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(subject).__name__).lower()


async def write(
    tx: Session,
    actor: UUID | None,
    verb: str,
    subject: Subject,
    *,
    before: str | None = None,
    after: str | None = None,
    reason: str | None = None,
    fields: Sequence[str] = (),
) -> None:
    """Write an entry about a row. ``before`` and ``after`` are states."""
    await write_about(
        tx,
        actor,
        verb,
        (type_of(subject), subject.id),
        subject.org_id,
        before=before,
        after=after,
        reason=reason,
        fields=fields,
    )


async def write_about(
    tx: Session,
    actor: UUID | None,
    verb: str,
    subject: tuple[str, UUID],
    org_id: UUID | None,
    *,
    before: str | None = None,
    after: str | None = None,
    reason: str | None = None,
    fields: Sequence[str] = (),
    facts: Mapping[str, str | int] | None = None,
) -> None:
    """Write an entry about what has no row of its own, by its noun and id.

    ``facts`` say which and how many; nothing personal.
    """
    entry = AuditEntry(
        actor_id=actor,
        verb=verb,
        subject_type=subject[0],
        subject_id=subject[1],
        org_id=org_id,
        from_state=before,
        to_state=after,
        reason=reason,
        fields=list(fields),
        facts=dict(facts or {}),
        request_id=request_id(),
    )
    await queries.insert(tx, entry)


async def browse(
    tx: Session, caller: UUID, org_id: UUID, wanted: AuditFilter, asked: PageParams
) -> Page[AuditEntryOut]:
    """Return the entries of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    org = await orgs.get(tx, org_id)
    await people.require_role(tx, caller, READERS, org.path)
    return await keyset(
        asked,
        (UUID,),
        lambda after, limit: queries.page(tx, org.path, wanted, after[0] if after else None, limit),
        lambda row: _to_out(*row),
        lambda row: (row[0].id,),
    )


def _to_out(entry: AuditEntry, name: str | None) -> AuditEntryOut:
    actor = ActorOut(id=entry.actor_id, display_name=name or "") if entry.actor_id else None
    return AuditEntryOut(
        actor=actor,
        subject=SubjectOut(type=entry.subject_type, id=entry.subject_id),
        **entry.model_dump(exclude={"actor_id", "subject_type", "subject_id"}),
    )
