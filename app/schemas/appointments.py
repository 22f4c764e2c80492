"""Wire shapes of appointments by code."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.models.people import Role
from app.schemas import roles
from app.schemas.base import Code, In, Out, RecordOut, example

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

    id: UUID = Field(description="Id of the appointment.")
    code: str = Field(description="18 digits, to be scanned or entered by the person, once.")
    expires_at: datetime = Field(description="Until when the code is accepted, in UTC.")
    role: Role = Field(description="The role that is offered.")
    org_id: UUID = Field(description="Id of the organisation in which the role is.")
    merchant_id: UUID | None = Field(description="Id of the merchant, of its staff; else null.")
    starts_at: datetime | None = Field(
        description="When the role begins; null: when it is accepted."
    )
    ends_at: datetime | None = Field(description="When the role ends; null: without end.")


class OfferOut(Out):
    """What a code appoints to: shown before the person accepts. ``offered_by``: masked."""

    role: Role = Field(description="The role that is offered.")
    org_name: str = Field(description="Name of the organisation in which the role is.")
    merchant_name: str | None = Field(description="Name of the merchant, of its staff; else null.")
    offered_by: PersonName = Field(description="Name of who offers it, masked.")
    expires_at: datetime = Field(description="Until when the code is accepted, in UTC.")
    starts_at: datetime | None = Field(
        description="When the role begins; null: when it is accepted."
    )
    ends_at: datetime | None = Field(description="When the role ends; null: without end.")


class AppointmentCaseOut(RecordOut):
    """An appointment as it was offered, and who accepted it. Names are masked for auditors."""

    role: Role = Field(description="The role that is offered.")
    merchant_id: UUID | None = Field(description="Id of the merchant, of its staff; else null.")
    offered_by: PersonName = Field(description="Name of the administrator.")
    expires_at: datetime = Field(description="Until when the code is accepted, in UTC.")
    starts_at: datetime | None = Field(
        description="When the role begins; null: when it is accepted."
    )
    ends_at: datetime | None = Field(description="When the role ends; null: without end.")
    accepted_by: UUID | None = Field(
        description="Id of the person who accepted it; null: nobody yet."
    )
    accepted_name: PersonName | None = Field(description="Name of that person; null: nobody yet.")
    accepted_at: datetime | None = Field(description="When it was accepted, in UTC; null: not yet.")


class AcceptanceIn(In, json_schema_extra=example({"code": "305518264907713264"})):
    code: Annotated[str, Code(60), Field(description="The 18 digits that are shown to the person.")]
