"""API schemas of notices."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from app.core.language import Worded
from app.core.paging import Page
from app.schemas import notify
from app.schemas.audit import SubjectOut
from app.schemas.base import Id, In, Out, example

MAX_UNREAD = 1_000
Unread = Annotated[
    int,
    Field(
        ge=0, description=f"How many notices are unread; {MAX_UNREAD} stands for as many or more."
    ),
]


def _with_kinds(schema: dict[str, Any]) -> None:
    """Add all kinds to the OpenAPI document."""
    schema["enum"] = [*sorted(notify.kinds()), notify.OTHER_KIND]


class NoticeOut(Out):
    """A notice to the caller."""

    id: UUID = Field(description="Id of the notice.")
    kind: str = Field(
        description="What it tells. `other`: a kind that this version does not know.",
        json_schema_extra=_with_kinds,
    )
    title: Worded = Field(description="What the kind is called, in the language of the request.")
    text: Worded = Field(
        description="What happened, in the language of the request; times are of Asia/Shanghai."
    )
    subject: SubjectOut | None = Field(
        description="What it is about: the singular noun and the id, such as `award`,"
        " `activity`, `redemption`, `charge`, `deduction`, `org`; `person` is the caller."
        " Null for a notice of before notices had subjects."
    )
    is_read: bool = Field(description="Whether the caller has read it.")
    created_at: datetime = Field(description="When it happened, in UTC.")


class NoticePage(Page[NoticeOut]):
    """Notices, newest first, and the number of all unread ones."""

    unread: Unread


class NoticesReadIn(
    In, json_schema_extra=example({"up_to": "019da7e0-5b3c-7a41-9c56-2f6f0f0a7b11"})
):
    up_to: Id = Field(description="Id of the newest notice that the reader has seen.")


class UnreadOut(Out):
    unread: Unread
