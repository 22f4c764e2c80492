"""Wire shapes of appointments by code."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.models.people import Role
from app.schemas.base import Code, In, Out


class AppointmentOut(Out):
    """``code``: 18 digits for the person to scan or enter, once, until ``expires_at``."""

    id: UUID
    code: str
    expires_at: datetime
    role: Role
    org_id: UUID
    merchant_id: UUID | None
    starts_at: datetime | None
    ends_at: datetime | None


class OfferOut(Out):
    """What a code appoints to: shown before the person accepts. ``offered_by``: masked."""

    role: Role
    org_name: str
    merchant_name: str | None
    offered_by: str
    expires_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None


class AcceptanceIn(In):
    code: Annotated[str, Code(60), Field(description="The 18 digits that an administrator shows.")]
