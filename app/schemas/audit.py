"""Wire shapes of the audit trail."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.schemas.base import Out


class ActorOut(Out):
    """Who decided."""

    id: UUID
    display_name: str


class SubjectOut(Out):
    """What something is about: ``type`` is the singular noun, such as ``award``."""

    type: str
    id: UUID


class AuditEntryOut(Out):
    """A decision. ``actor`` is null for an operator's command line; ``fields`` were changed.

    ``facts`` say which and how many: of an export its ``list``, ``form`` and ``rows``.
    """

    id: UUID
    at: datetime
    actor: ActorOut | None
    verb: str
    subject: SubjectOut
    org_id: UUID | None
    from_state: str | None = Field(serialization_alias="from")
    to_state: str | None = Field(serialization_alias="to")
    reason: str | None
    fields: list[str]
    facts: dict[str, str | int]
    request_id: str | None
