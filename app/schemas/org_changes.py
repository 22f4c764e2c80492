"""Wire shapes of changes to the organisation tree."""

from typing import Annotated

from pydantic import Field

from app.models.orgs import Level
from app.schemas.base import STREET, Id, In, OneLine, example
from app.schemas.merchants import Phone

DivisionCode = Annotated[
    str,
    Field(
        pattern="^[0-9]{2,20}$",
        max_length=20,
        description="China's published division code, or digits of one's own; never changed.",
    ),
]


class OrgIn(
    In,
    json_schema_extra=example(
        {
            "parent_id": STREET,
            "code": "321182001999",
            "name": "滨江新社区居委会",
            "level": "community",
        }
    ),
):
    """A new organisation below ``parent_id``, of a lower level than that."""

    parent_id: Id = Field(description="Id of the organisation above it.")
    code: DivisionCode
    name: Annotated[str, OneLine(100)] = Field(description="Name of the organisation.")
    level: Level = Field(description="Level of the organisation.")


class OrgNameIn(In, json_schema_extra=example({"name": "文化新村社区"})):
    name: Annotated[str, OneLine(100)] = Field(description="The new name.")


class OrgContactIn(
    In, json_schema_extra=example({"phone": "0511-88320000", "note": "工作日 9:00 至 17:00"})
):
    """Replaces both: what is left out is removed. ``note``: whom to ask for, when, where."""

    phone: Phone | None = Field(
        default=None, description="Number for residents to call; null: none."
    )
    note: Annotated[str, OneLine(100)] | None = Field(
        default=None, description="Whom to ask for, when, where; null: nothing."
    )


class OrgMoveIn(
    In,
    json_schema_extra=example({"parent_id": STREET, "reason": "区划调整"}),
):
    """``reason`` stands in the audit trail."""

    parent_id: Id = Field(description="Id of the organisation that is to be above it.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class OrgReasonIn(In, json_schema_extra=example({"reason": "与邻近社区合并"})):
    """``reason`` stands in the audit trail."""

    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")
