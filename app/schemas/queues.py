"""Wire shapes of queues: what waits for a decision of the caller."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from app.schemas.base import OrgId, Out


class QueueKind(StrEnum):
    """Proposals to review, objections to awards, appeals against deductions, flagged check-ins."""

    proposals = "proposals"
    objections = "objections"
    appeals = "appeals"
    flags = "flags"


class QueueOut(Out):
    """What waits in the subtree of an organisation, without what the caller has a part in.

    ``oldest_at``: since when; null: nothing waits. ``path``: the list of them in this API.
    """

    kind: QueueKind = Field(description="What waits.")
    org_id: OrgId
    org_name: str = Field(description="Name of the organisation.")
    count: int = Field(description="How many of them.")
    oldest_at: datetime | None = Field(
        description="Since when the oldest waits, in UTC; null: nothing waits."
    )
    path: str = Field(description="Path of their list in this API.")


class QueuesOut(Out):
    items: list[QueueOut] = Field(description="One for each kind and organisation.")
