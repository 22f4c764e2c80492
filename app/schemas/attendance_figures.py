"""Wire shapes of the figures of attendance: how many signed up and served, and how long."""

from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.schemas.base import Out

HEADINGS = {
    "code": Bilingual("组织代码", "Code"),
    "name": Bilingual("组织", "Organisation"),
    "recruited": Bilingual("招募人数", "Recruited"),
    "on_duty": Bilingual("上岗人数", "On duty"),
    "minutes": Bilingual("志愿时长（分钟）", "Minutes of service"),
    "person_times": Bilingual("服务人次", "Person-times"),
}


class FiguresOut(Out):
    """People count once in each sum, so those of organisations may add up to more than theirs."""

    recruited: int = Field(description="People who signed up and have a place.")
    on_duty: int = Field(description="People who checked in.")
    minutes: int = Field(description="Minutes of service of the awards for these check-ins.")
    person_times: int = Field(description="Check-ins.")


class OrgFiguresOut(Out):
    """The figures of a direct child with its subtree, or of the organisation's own activities."""

    org_id: UUID | None = Field(description="Id of the organisation; null: of all together.")
    code: str | None = Field(description="Code of the organisation; null: of all together.")
    name: str = Field(description="Name of the organisation.")
    recruited: int = Field(description="People who signed up and have a place.")
    on_duty: int = Field(description="People who checked in.")
    minutes: int = Field(description="Minutes of service of the awards for these check-ins.")
    person_times: int = Field(description="Check-ins.")


class AttendanceFiguresOut(Out):
    total: FiguresOut = Field(description="Of the organisation and all that are below it.")
    items: list[OrgFiguresOut] = Field(
        description="Of the organisation's own activities, then of each direct child by its code."
    )
