"""API schemas of organisations."""

from datetime import datetime
from uuid import UUID

from app.models.orgs import Level
from app.schemas.base import Out


class OrgOut(Out):
    """``code`` is China's published division code. ``closed_at``: null: it is open."""

    id: UUID
    code: str
    name: str
    level: Level
    parent_id: UUID | None
    closed_at: datetime | None
