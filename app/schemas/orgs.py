"""Wire shapes of organisations."""

from uuid import UUID

from app.schemas.base import Out


class OrgOut(Out):
    """``code`` is China's published division code."""

    id: UUID
    code: str
    name: str
    level: str
    parent_id: UUID | None
