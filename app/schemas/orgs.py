"""API schemas of organisations."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.models.orgs import Level
from app.schemas.base import Out

VALUES = {
    Level: {
        Level.city: ("市", "city"),
        Level.district: ("区县", "district"),
        Level.street: ("街道", "street"),
        Level.community: ("社区", "community"),
    },
}


HEADINGS = {
    "code": Bilingual("区划代码", "Division code"),
    "level": Bilingual("层级", "Level"),
    "parent_id": Bilingual("上级组织编号", "Id of the one above"),
    "contact_phone": Bilingual("联系电话", "Contact by phone"),
    "contact_note": Bilingual("联系方式", "Contact"),
}


class OrgOut(Out):
    """``code`` is China's published division code. ``closed_at``: null: it is open.

    ``contact_phone`` and ``contact_note``: how residents reach it, and whom or when.
    """

    id: UUID = Field(description="Id of the organisation.")
    code: str = Field(description="China's published division code.")
    name: str = Field(description="Name of the organisation.")
    level: Level = Field(description="Level of the organisation.")
    parent_id: UUID | None = Field(description="Id of the organisation above it; null: none.")
    closed_at: datetime | None = Field(description="When it was closed, in UTC; null: it is open.")
    contact_phone: str | None = Field(description="Number for residents to call; null: none.")
    contact_note: str | None = Field(description="Whom to ask for, when, where; null: nothing.")
