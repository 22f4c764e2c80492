"""Wire shapes of units of account."""

from typing import Annotated

from pydantic import Field

from app.core.language import Bilingual, Worded
from app.schemas.base import In, OneLine, Out, example

HEADINGS = {
    "code": Bilingual("代码", "Code"),
}


Code = Annotated[
    str, Field(max_length=40, pattern="^[a-z][a-z0-9_]{0,39}$", examples=["jingjiang_points"])
]


class UnitIn(
    In,
    json_schema_extra=example(
        {
            "code": "jingjiang_points",
            "name": "靖江青年积分",
            "name_en": "Jingjiang youth points",
        }
    ),
):
    """A unit for the points of another programme: exchanged only by agreements."""

    code: Code = Field(description="As a policy names it in `programme.unit`.")
    name: Annotated[str, OneLine(40)] = Field(
        examples=["靖江青年积分"], description="Name in Chinese."
    )
    name_en: Annotated[str, OneLine(40)] | None = Field(
        default=None,
        examples=["Jingjiang youth points"],
        description="Name for readers in English, who else see the Chinese one.",
    )


class UnitOut(Out):
    """A unit: the points of a programme, or ``minutes`` of service."""

    code: str = Field(description="Code of the unit, such as `points` or `minutes`.")
    name: Worded = Field(description="In the language of the request.")
