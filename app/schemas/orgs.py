"""API schemas of organisations."""

from datetime import datetime
from uuid import UUID

from app.schemas.base import Out


class OrgOut(Out):
    """``code`` is China's published division code. ``closed_at``: null: it is open."""

    id: UUID
    code: str
    name: str
    level: str
    parent_id: UUID | None
    closed_at: datetime | None
