"""Wire shapes of the links that open a statement."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.schemas.base import Day, In, Out, example


class StatementLinkIn(
    In, json_schema_extra=example({"unit": "points", "since": "2026-11-01", "until": "2026-11-30"})
):
    """The period of the statement, in days of Asia/Shanghai."""

    unit: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", min_length=1, max_length=40)] = Field(
        default="points", description="Code of the unit."
    )
    since: Day | None = Field(
        default=None, description="The first day; by default the first of the month."
    )
    until: Day | None = Field(default=None, description="The last day; by default today.")


class StatementLinkOut(Out):
    html_url: str = Field(description="Path of a page for printing; needs no login.")
    xlsx_url: str = Field(description="Path of a spreadsheet; needs no login.")
    expires_at: datetime = Field(description="The links open nothing from then on.")
