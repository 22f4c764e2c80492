"""Wire shapes of drafts: documents of points rules that are checked, compared and published."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Worded
from app.schemas.base import STREET, Id, In, Moment, Out, Text, example

# A little more than ``reading.MAX_CHARACTERS``, so that the check itself says what is too large.
MAX_DOCUMENT = 65_536
EXAMPLE = "[caps]\nday = 20\n\n[rules.lecture_give]\npoints = 6\n"
DRAFT = {"org_id": STREET, "document": EXAMPLE}
Document = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_DOCUMENT,
        description="The document as it would be in a file: TOML, at most 60,000 characters.",
        examples=[EXAMPLE],
    ),
]


class FindingLevel(StrEnum):
    error = "error"
    warning = "warning"


class ChangeEffect(StrEnum):
    """``mixed``: stricter in one thing, looser in another. ``changed``: neither."""

    added = "added"
    removed = "removed"
    tightened = "tightened"
    loosened = "loosened"
    mixed = "mixed"
    changed = "changed"


class PolicyDraftIn(In, json_schema_extra=example(DRAFT)):
    """A document for an organisation, or for all that have no programme of their own."""

    org_id: Id | None = Field(
        default=None,
        description="Left out: for all organisations; only for who administers every root.",
    )
    document: Document


class PublicationIn(
    PolicyDraftIn,
    json_schema_extra=example(DRAFT | {"effective_from": "2028-05-04T00:00:00+08:00"}),
):
    effective_from: Moment | None = Field(
        default=None, description="When it takes effect, at most two years from now; else at once."
    )


class PolicyFindingOut(Out):
    """``level``: an error prevents the publication, a warning does not."""

    level: FindingLevel = Field(
        description="`error`: it prevents the publication; `warning`: it does not."
    )
    line: int = Field(description="Of the document, counted from 1.")
    path: str = Field(description="`rules.theme_study.points`; empty for the whole document.")
    msg: Worded = Field(description="What is wrong, in the language of the request.")


class PolicyCheckOut(Out):
    """``version``: the newest published for the organisation or above it, 0 without any."""

    is_valid: bool = Field(description="Whether it could be published: there is no error.")
    version: int = Field(
        description="The newest version published for the organisation or above it; 0 without any."
    )
    rules: int = Field(description="Rules that would be in force; 0 if there is an error.")
    tiers: int = Field(description="Tiers that would be in force; 0 if there is an error.")
    errors: int = Field(description="How many errors there are; `findings` tells at most 200.")
    findings: list[PolicyFindingOut] = Field(description="Errors and warnings, at most 200.")


class PolicyChangeOut(Out):
    """A value that would change; null where one of the two says nothing."""

    path: str = Field(description="`rules.theme_study.points`")
    effect: ChangeEffect = Field(description="What the change does.")
    before: int | bool | str | list[str] | list[int] | None = Field(
        description="The value in force; null: there is none."
    )
    after: int | bool | str | list[str] | list[int] | None = Field(
        description="The value of the document; null: it has none."
    )


class PolicyChangesOut(Out):
    """The changes of one rule, deduction or tier, or of another table such as ``caps``."""

    section: str = Field(description="`rules`, `deductions`, `tiers`, `caps`, `release` …")
    key: str | None = Field(description="Of the rule, deduction or tier; null elsewhere.")
    name: Worded | None = Field(description="Its name, in the language of the request.")
    effect: ChangeEffect = Field(description="What the changes do together.")
    changes: list[PolicyChangeOut] = Field(description="The changes, one for each value.")


class PolicyDiffOut(Out):
    """What a document would change in the rules in force at this moment.

    ``version`` is sent back as ``If-Match`` when it is published: a newer one than that in
    force may wait for its day.
    """

    version: int = Field(
        description="The newest version of the organisation or above it, in force or not; "
        "sent back as `If-Match` when it is published."
    )
    items: list[PolicyChangesOut] = Field(
        description="The changes, one item for each rule, deduction, tier or table."
    )


class PublicationOut(Out):
    """A published version. ``org_id``: null: for all organisations without a programme."""

    version: int = Field(description="Number of the version.")
    org_id: UUID | None = Field(
        description="Id of the organisation; null: for all without a programme of their own."
    )
    effective_from: datetime = Field(description="When it takes effect, in UTC.")
    published_at: datetime = Field(description="When it was published, in UTC.")
