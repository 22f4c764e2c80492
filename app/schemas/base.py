"""Base classes and field types of all API schemas."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from annotated_types import GroupedMetadata, MaxLen, MinLen
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)
from pydantic.config import JsonDict

from app.core import normalize, scanned
from app.core.errors import Refusal
from app.core.language import Language
from app.core.validation_messages import wrong

_HALF = re.compile("[\ud800-\udfff]")
# Bidirectional controls could make a name display as another one.
_BIDI_CONTROL = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # the prefix of a date and of a time

# The same characters for clients, in the regular expressions of OpenAPI (ECMA 262).
UNSTORABLE = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u202a-\u202e\u2066-\u2069"
_IN_LINE = f"[^{UNSTORABLE}{normalize.BREAKS}]*"
ONE_LINE = rf"^{_IN_LINE}[^\s{UNSTORABLE}{normalize.BREAKS}{normalize.INVISIBLE_BASIC}]{_IN_LINE}$"

# Validation context of what was accepted before there were these rules for lines.
STORED = {"stored": True}

# Fields that stand in many schemas with the same meaning.
OrgId = Annotated[UUID, Field(description="Id of the organisation.")]
PersonId = Annotated[UUID, Field(description="Id of the person.")]
ActivityId = Annotated[UUID, Field(description="Id of the activity.")]
MerchantId = Annotated[UUID, Field(description="Id of the merchant.")]
RewardId = Annotated[UUID, Field(description="Id of the reward.")]
AwardId = Annotated[UUID, Field(description="Id of the award.")]
CreatedAt = Annotated[datetime, Field(description="When it was recorded, in UTC.")]
Version = Annotated[int, Field(description="Counts edits; sent back as `If-Match`.")]


# The street of the demonstration data, for examples.
STREET = "01900000-0000-7000-8000-000321182001"


def example(body: dict[str, Any]) -> JsonDict:
    """Return the extra JSON schema of a body, whose example can be sent as it stands.

    It names the demonstration data, whose ids are fixed; codes and tokens are made up.
    """
    return {"examples": [body]}


class In(BaseModel):
    """A request body: unknown fields are refused, strings are not converted to numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def require_one_name(person_id: UUID | None, card_no: str | None) -> None:
    """Raise an error of validation unless exactly one of the two names the person."""
    if (person_id is None) == (card_no is None):
        raise wrong(
            "person_id 与 card_no 须填且只填一项",
            "either person_id or card_no names the person",
        )


class Nothing(In, json_schema_extra=example({})):
    """An optional body without fields."""


class Out(BaseModel):
    """A reply. Also created from table rows and dataclasses."""

    model_config = ConfigDict(
        from_attributes=True, frozen=True, json_schema_serialization_defaults_required=True
    )


class RecordOut(Out):
    """A record of an organisation: see ``models.base.Record``."""

    id: UUID = Field(description="Id of the record.")
    org_id: OrgId
    created_by: UUID = Field(description="Id of the person who recorded it.")
    created_at: CreatedAt


class PublicRecordOut(Out):
    """A record that everybody may read: it does not say who recorded it."""

    id: UUID = Field(description="Id of the record.")
    org_id: OrgId
    created_at: CreatedAt


class ChangeOut(Out):
    """A field that was edited; times are RFC 3339."""

    field: str = Field(description="Name of the field.")
    before: str | int | float | None = Field(
        description="Value before the edit; a time as RFC 3339."
    )
    after: str | int | float | None = Field(description="Value after the edit; a time as RFC 3339.")

    @classmethod
    def of(cls, field: str, before: Any, after: Any) -> "ChangeOut":
        old, new = (
            one.isoformat() if isinstance(one, datetime) else one for one in (before, after)
        )
        return cls(field=field, before=old, after=new)


class ReasonOut(Out):
    """Why the caller may not do it: what the act itself would be refused with."""

    code: str = Field(description="Code of the refusal.")
    msg: str = Field(description="The sentence, in the language of the request.")
    facts: dict[str, int | datetime | str | None] = Field(
        description="Facts of the refusal, such as `opens_at`, `closes_at`, `status`."
    )

    @classmethod
    def of(cls, refusal: Refusal, language: Language) -> Self:
        return cls(code=refusal.code, msg=refusal.message(language), facts=refusal.facts)


def _storable(text: str) -> str:
    """Refuse what PostgreSQL cannot store (NUL, lone surrogates), controls and bidi controls."""
    if _HALF.search(text):
        raise wrong("含有不完整的字符", "half a surrogate pair is not a character")
    if _BIDI_CONTROL.search(text):
        raise wrong(
            "不能含有改变文字方向的不可见字符",
            "invisible characters that turn the writing direction are not allowed",
        )
    if _CONTROL.search(text):
        raise wrong("不能含有控制字符", "control characters are not allowed")
    return text


def _one_line(text: str, info: ValidationInfo) -> str:
    """Refuse line breaks, what shows nothing and no characters; strip blanks and compose (NFC).

    Runs after the length checks, which so apply to the text as sent. The last two are refused by
    Unicode's categories, of which the documented pattern does not speak.
    """
    if info.context is not STORED and not normalize.is_one_line(text):
        raise wrong("只能有一行", "must be on one line")
    if info.context is not STORED and not normalize.is_visible(text):
        raise wrong("没有可见的字符", "must hold something visible")
    if info.context is not STORED and not normalize.is_known(text):
        raise wrong("含有不是通用字符的符号", "holds what is no character of Unicode")
    return normalize.composed(text).strip()


def _pattern(expression: str) -> Any:
    """Document a pattern without validating it: ``_storable`` does, with better messages."""
    return Field(json_schema_extra={"pattern": expression})


def _spelled_out(value: object) -> object:
    """Accept RFC 3339 only: pydantic would accept numbers such as 1700000000 as Unix times."""
    if isinstance(value, str) and not _DATE.match(value):
        raise wrong(
            "日期或时间格式应符合 RFC 3339", "expected a date or time as RFC 3339 writes it"
        )
    if isinstance(value, (int, float)):
        raise wrong("应为文字", "expected a string")
    return value


def _with_offset(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise wrong("时间缺少时区", "a time needs its offset, as RFC 3339 has it")
    return moment


def _within_reach(moment: datetime) -> datetime:
    """Clamp a bound to the range of stored times; the result of a query is the same."""
    if moment.year < 2000:
        return datetime(2000, 1, 1, tzinfo=UTC)
    return moment if moment.year < 2100 else datetime(2100, 1, 1, tzinfo=UTC)


def _with_zone(moment: datetime) -> datetime:
    _with_offset(moment)
    if not 2000 <= moment.year < 2100:
        raise wrong("时间应在 2000 年至 2100 年之间", "a time must lie between 2000 and 2100")
    return moment


@dataclass(frozen=True)
class OneLine(GroupedMetadata):
    """One line of 1 to ``max_length`` characters. Blanks at the ends count, then are stripped."""

    max_length: int

    def __iter__(self) -> Iterator[Any]:
        yield MinLen(1)
        yield MaxLen(self.max_length)
        yield AfterValidator(_storable)
        yield AfterValidator(_one_line)
        yield MaxLen(self.max_length)  # composing may lengthen
        yield _pattern(ONE_LINE)


@dataclass(frozen=True)
class Code(GroupedMetadata):
    """A code that somebody typed or scanned: spaces, dashes and digits as they may be read.

    ``hyphens``: a hyphen may be a character of the code; else all are taken out. ``urls``: a URL
    that ends with the code is accepted as well.
    """

    max_length: int
    hyphens: bool = False
    urls: bool = False

    def __iter__(self) -> Iterator[Any]:
        yield MinLen(1)
        yield MaxLen(scanned.MAX_SCANNED if self.urls else self.max_length)
        yield AfterValidator(_storable)
        if self.urls:
            yield AfterValidator(scanned.code_of)
        yield AfterValidator(normalize.code_as_read)
        if not self.hyphens:
            yield AfterValidator(lambda text: text.replace("-", ""))
        yield _pattern(f"^[^{UNSTORABLE}]*$")


# With a pattern of one's own use str: Text would document its own in that place.
Text = Annotated[str, AfterValidator(_storable), _pattern(f"^[^{UNSTORABLE}]*$")]
# What is searched for, composed as names are.
Words = Annotated[Text, AfterValidator(normalize.composed)]
Moment = Annotated[datetime, BeforeValidator(_spelled_out), AfterValidator(_with_zone)]
# A lower or upper bound of a query: any time is valid.
Bound = Annotated[
    datetime,
    BeforeValidator(_spelled_out),
    AfterValidator(_with_offset),
    AfterValidator(_within_reach),
]
Day = Annotated[date, BeforeValidator(_spelled_out)]
# Strict: neither "1.5" nor true.
Number = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Id = Annotated[UUID, Field(description="An opaque id.")]
