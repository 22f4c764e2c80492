"""Wire shapes of queues: what waits for a decision of the caller."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.schemas.base import Out


class QueueKind(StrEnum):
    """Proposals to review, objections to awards, appeals against deductions."""

    proposals = "proposals"
    objections = "objections"
    appeals = "appeals"


class QueueOut(Out):
    """What waits in the subtree of an organisation, without what the caller has a part in.

    ``oldest_at``: since when; null: nothing waits. ``path``: the list of them in this API.
    """

    kind: QueueKind
    org_id: UUID
    org_name: str
    count: int
    oldest_at: datetime | None
    path: str


class QueuesOut(Out):
    items: list[QueueOut]
