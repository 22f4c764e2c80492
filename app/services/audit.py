"""The audit trail: each decision writes an entry in its transaction; the entries are sealed.

An entry has actor, verb, subject, states before and after, reason and request id. It names
the changed fields without their values, so the trail holds no personal data.
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
from app.services.ledger import moments

READERS = (Role.auditor, Role.administrator)
Facts = Mapping[str, str | int]


class Subject(Protocol):
    """The row that a decision is about: any with an id and an organisation."""

    id: UUID
    org_id: UUID


def type_of(subject: object) -> str:
    """Return the noun of a row: ``fund_receipt`` for a FundReceipt."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(subject).__name__).lower()


def about(noun: str, subject_id: UUID) -> dict[str, str | int]:
    """Return the fact of an entry that names another record that it concerns."""
    return {"about": f"{noun}:{subject_id}"}


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
    facts: Facts | None = None,
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
        facts=facts,
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
    facts: Facts | None = None,
) -> UUID:
    """Write an entry about a subject without a row of its own, by noun and id; return its id.

    ``facts``: counts, names and references (``award:`` and an id), without personal data.
    """
    entry = AuditEntry(
        at=await moments.recorded(tx),
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
    return entry.id


async def browse(
    tx: Session, caller: UUID, org_id: UUID, wanted: AuditFilter, asked: PageParams
) -> Page[AuditEntryOut]:
    """Return the entries of a subtree, newest first; of a root also those without organisation.

    Raises OrgNotFound, Forbidden.
    """
    org = await orgs.get(tx, org_id)
    await people.require_role(tx, caller, READERS, org.path)
    return await keyset(
        asked,
        (UUID,),
        lambda after, limit: queries.page(tx, org, wanted, after[0] if after else None, limit),
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
