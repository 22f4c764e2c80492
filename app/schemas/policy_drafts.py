"""Wire shapes of drafts: documents of points rules that are checked, compared and published."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Worded
from app.schemas.base import Id, In, Moment, Out, Text

# A little more than ``reading.MAX_CHARACTERS``, so that the check itself says what is too large.
MAX_DOCUMENT = 65_536
EXAMPLE = "[caps]\nday = 20\n\n[rules.lecture_give]\npoints = 6\n"
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


class PolicyDraftIn(In):
    """A document for an organisation, or for all that have no programme of their own."""

    org_id: Id | None = Field(
        default=None,
        description="Left out: for all organisations; only for who administers every root.",
    )
    document: Document


class PublicationIn(PolicyDraftIn):
    effective_from: Moment | None = Field(
        default=None, description="When it takes effect, at most two years from now; else at once."
    )


class PolicyFindingOut(Out):
    """``level``: an error prevents the publication, a warning does not."""

    level: FindingLevel
    line: int = Field(description="Of the document, counted from 1.")
    path: str = Field(description="`rules.theme_study.points`; empty for the whole document.")
    msg: Worded = Field(description="What is wrong, in the language of the request.")


class PolicyCheckOut(Out):
    """``version``: the newest published for the organisation or above it, 0 without any."""

    is_valid: bool
    version: int
    rules: int = Field(description="Rules that would be in force; 0 if there is an error.")
    tiers: int = Field(description="Tiers that would be in force; 0 if there is an error.")
    errors: int = Field(description="How many errors there are; `findings` tells at most 200.")
    findings: list[PolicyFindingOut]


class PolicyChangeOut(Out):
    """A value that would change; null where one of the two says nothing."""

    path: str = Field(description="`rules.theme_study.points`")
    effect: ChangeEffect
    before: int | bool | str | list[str] | list[int] | None
    after: int | bool | str | list[str] | list[int] | None


class PolicyChangesOut(Out):
    """The changes of one rule, deduction or tier, or of another table such as ``caps``."""

    section: str = Field(description="`rules`, `deductions`, `tiers`, `caps`, `release` …")
    key: str | None = Field(description="Of the rule, deduction or tier; null elsewhere.")
    name: Worded | None = Field(description="Its name, in the language of the request.")
    effect: ChangeEffect
    changes: list[PolicyChangeOut]


class PolicyDiffOut(Out):
    """What a document would change in the rules in force at this moment.

    ``version`` is sent back as ``If-Match`` when it is published.
    """

    version: int
    items: list[PolicyChangesOut]


class PublicationOut(Out):
    """A published version. ``org_id``: null: for all organisations without a programme."""

    version: int
    org_id: UUID | None
    effective_from: datetime
    published_at: datetime
