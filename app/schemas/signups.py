"""Wire shapes of sign-ups."""

from datetime import datetime
from uuid import UUID

from app.schemas.base import Out


class SignupOut(Out):
    """``position``: place in the waiting list, from 1; null when there is no waiting."""

    id: UUID
    activity_id: UUID
    status: str
    position: int | None
    created_at: datetime
