"""What every wire shape shares."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from annotated_types import GroupedMetadata, MaxLen, MinLen
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

_HALF = re.compile("[\ud800-\udfff]")
# With these a name on a counter's screen could read as another.
_BIDI_CONTROL = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # with which a date and a time begin

# The same for clients, as a regular expression of OpenAPI's dialect (ECMA 262) writes it.
UNSTORABLE = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u202a-\u202e\u2066-\u2069"


class In(BaseModel):
    """A request body: unknown fields are refused, numbers are not guessed from strings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Nothing(In):
    """A body that may be left out, and has nothing in it."""


class Out(BaseModel):
    """A reply, also readable from a table row or a dataclass."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class RecordOut(Out):
    """A record of an organisation: see ``models.base.Record``."""

    id: UUID
    org_id: UUID
    created_by: UUID
    created_at: datetime


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL and no half of a character; names and titles no control codes."""
    if _HALF.search(text):
        raise ValueError("half a surrogate pair is not a character")
    if _BIDI_CONTROL.search(text):
        raise ValueError("invisible characters that turn the writing direction are not allowed")
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


def _stripped(text: str) -> str:
    """Cut blanks at both ends. Afterwards, so that lengths mean what was sent, as documented."""
    text = text.strip()
    if not text:
        raise ValueError("must hold more than blanks")
    return text


def _pattern(expression: str) -> Any:
    """Document a pattern that ``_storable`` checks: it words the refusal better."""
    return Field(json_schema_extra={"pattern": expression})


def _spelled_out(value: object) -> object:
    """Take RFC 3339 only: pydantic would read 1700000000, and -1e-9, as seconds since 1970."""
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("expected a date or time as RFC 3339 writes it")
    if isinstance(value, (int, float)):
        raise ValueError("expected a string")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _with_offset(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset, as RFC 3339 has it")
    return moment


def _within_reach(moment: datetime) -> datetime:
    """Move a bound to the nearest time that anything of ours may have: it finds the same."""
    if moment.year < 2000:
        return datetime(2000, 1, 1, tzinfo=UTC)
    return moment if moment.year < 2100 else datetime(2100, 1, 1, tzinfo=UTC)


def _with_zone(moment: datetime) -> datetime:
    _with_offset(moment)
    if not 2000 <= moment.year < 2100:
        raise ValueError("a time must lie between 2000 and 2100")
    return moment


@dataclass(frozen=True)
class OneLine(GroupedMetadata):
    """One line of at most so many characters. Blanks at its ends count, and are cut."""

    max_length: int

    def __iter__(self) -> Iterator[Any]:
        yield MinLen(1)
        yield MaxLen(self.max_length)
        yield AfterValidator(_storable)
        yield AfterValidator(_stripped)
        yield _pattern(rf"^[^{UNSTORABLE}]*[^\s{UNSTORABLE}][^{UNSTORABLE}]*$")


Text = Annotated[str, AfterValidator(_storable), _pattern(f"^[^{UNSTORABLE}]*$")]
Moment = Annotated[datetime, BeforeValidator(_spelled_out), AfterValidator(_with_zone)]
# From when, or until when: any time there is.
Bound = Annotated[
    datetime,
    BeforeValidator(_spelled_out),
    AfterValidator(_with_offset),
    AfterValidator(_within_reach),
]
Day = Annotated[date, BeforeValidator(_spelled_out)]
# A number is a number: not "1.5" and not true.
Number = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Id = Annotated[UUID, Field(description="An opaque id.")]
