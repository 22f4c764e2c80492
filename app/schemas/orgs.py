"""API schemas of organisations."""

from datetime import datetime
from uuid import UUID

from app.core.language import Bilingual
from app.schemas.base import Out

HEADINGS = {
    "contact_phone": Bilingual("联系电话", "Contact by phone"),
    "contact_note": Bilingual("联系方式", "Contact"),
}


class OrgOut(Out):
    """``code`` is China's published division code. ``closed_at``: null: it is open.

    ``contact_phone`` and ``contact_note``: how residents reach it, and whom or when.
    """

    id: UUID
    code: str
    name: str
    level: str
    parent_id: UUID | None
    closed_at: datetime | None
    contact_phone: str | None
    contact_note: str | None
