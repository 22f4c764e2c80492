"""Wire shapes of appointments by code."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.models.people import Role
from app.schemas import roles
from app.schemas.base import Code, In, Out, RecordOut

VALUES = {Role: roles.VALUES[Role]}
HEADINGS = {
    "role": roles.HEADINGS["role"],
    "offered_by": Bilingual("任命人", "Offered by"),
    "expires_at": Bilingual("任命码截止时间", "Code ends at (Shanghai)"),
    "accepted_by": Bilingual("就任人编号", "Accepted by (id)"),
    "accepted_name": Bilingual("就任人", "Accepted by"),
    "accepted_at": Bilingual("就任时间", "Accepted at (Shanghai)"),
}


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


class AppointmentCaseOut(RecordOut):
    """An appointment as it was offered, and who accepted it. Names are masked for auditors."""

    role: Role
    merchant_id: UUID | None
    offered_by: str
    expires_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    accepted_by: UUID | None
    accepted_name: str | None
    accepted_at: datetime | None


class AcceptanceIn(In):
    code: Annotated[str, Code(60), Field(description="The 18 digits that an administrator shows.")]
