"""Wire shapes of notices."""

from datetime import datetime
from uuid import UUID

from app.schemas.base import Out


class NoticeOut(Out):
    id: UUID
    kind: str
    text: str
    created_at: datetime
