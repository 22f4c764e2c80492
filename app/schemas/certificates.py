"""Wire shapes of certificates."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.schemas.base import Day, In, Out, example

HEADINGS = {
    "code": Bilingual("证明编号", "Code"),
    "since": Bilingual("起始日期", "From"),
    "until": Bilingual("截止日期", "Until"),
    "sessions": Bilingual("参加场次", "Sessions attended"),
}


class CertificateIn(In, json_schema_extra=example({"since": "2026-01-01"})):
    """Days in Asia/Shanghai, both included; without them from the first hours until today."""

    since: Day | None = Field(default=None, description="The first day; else the first with hours.")
    until: Day | None = Field(default=None, description="The last day; else today.")


class CertificateOut(Out):
    """A certificate of the caller's volunteer hours, or of a series that was attended."""

    id: UUID = Field(description="Id of the certificate.")
    code: str = Field(description="By which anybody may check it.")
    name: str = Field(description="The confirmed name, as it was then.")
    since: date = Field(description="The first day, in Asia/Shanghai.")
    until: date = Field(description="The last day.")
    minutes: int = Field(description="Minutes of service on these days; of a series 0.")
    activity_id: UUID | None = Field(description="Id of the series; null: a certificate of hours.")
    title: str | None = Field(description="Title of the series.")
    sessions: int | None = Field(description="How many of its sessions were attended.")
    created_at: datetime = Field(description="When it was issued.")


class CertificateCheckOut(Out):
    """What anybody may know of a certificate."""

    code: str = Field(description="The code that was asked for.")
    name: str = Field(description="Masked.")
    since: date = Field(description="The first day, in Asia/Shanghai.")
    until: date = Field(description="The last day.")
    minutes: int = Field(description="Minutes of service, as certified; of a series 0.")
    activity_id: UUID | None = Field(description="Id of the series; null: a certificate of hours.")
    title: str | None = Field(description="Title of the series.")
    sessions: int | None = Field(description="How many of its sessions were attended.")
    is_current: bool = Field(description="False: what it certifies was changed since then.")
    created_at: datetime = Field(description="When it was issued.")
