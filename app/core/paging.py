"""Keyset paging: an opaque cursor holds the sort key of the last item of a page."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.core.validation_messages import invalid

MAX_CURSOR = 300
T = TypeVar("T")
R = TypeVar("R")
Key = tuple[Any, ...]


class PageParams(NamedTuple):
    """The page asked for: ``limit`` items (1 to 100), after the item that ``cursor`` holds."""

    limit: int
    cursor: str | None = None

    def after(self, *kinds: type) -> Key | None:
        """Return the sort key, of parts of these kinds, to continue after. Raises Invalid."""
        return decode_cursor(self.cursor, *kinds)


class Page(BaseModel, Generic[T]):
    """A keyset page. ``next_cursor`` is sent back as ``cursor``; null on the last page."""

    model_config = ConfigDict(
        from_attributes=True, frozen=True, json_schema_serialization_defaults_required=True
    )

    items: list[T] = Field(description="The items of this page.")
    next_cursor: str | None = Field(
        default=None, description="Sent back as `cursor` for the next page; null on the last."
    )

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name a page of ``ActivityOut`` ``ActivityPage`` in the OpenAPI document."""
        return f"{params[0].__name__.removesuffix('Out')}Page"


async def keyset(
    page: PageParams,
    kinds: Sequence[type],
    read: Callable[[Key | None, int], Awaitable[Sequence[R]]],
    to_out: Callable[[R], T],
    key: Callable[[R], Key],
) -> Page[T]:
    """Return a page of what ``read(after, limit)`` returns in the order of ``key``.

    One row more than ``limit`` is read, to know whether there is a next page. Raises Invalid
    for a malformed cursor.
    """
    rows = await read(page.after(*kinds), page.limit + 1)
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return Page(
        items=[to_out(row) for row in shown],
        next_cursor=encode_cursor(*key(shown[-1])) if more else None,
    )


async def by_id(
    page: PageParams,
    read: Callable[[UUID | None, int], Awaitable[Sequence[R]]],
    to_out: Callable[[R], T],
) -> Page[T]:
    """Return a page of the rows of ``read(last_id, limit)``, in the order of their ``id``."""
    return await keyset(
        page,
        (UUID,),
        lambda after, limit: read(after[0] if after else None, limit),
        to_out,
        lambda row: (row.id,),  # type: ignore[attr-defined]
    )


def encode_cursor(*key: Any) -> str:
    """Encode a sort key of strings, integers, datetimes, dates and UUIDs."""
    plain = [part.isoformat() if isinstance(part, date) else part for part in key]
    raw = json.dumps([str(p) if isinstance(p, UUID) else p for p in plain], ensure_ascii=False)
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """Decode a sort key whose parts have the given types. Raises Invalid if it is malformed."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        parts = json.loads(raw)
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError
        return tuple(_part(part, kind) for part, kind in zip(parts, kinds, strict=True))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise invalid("query.cursor", "分页标记无效", "unknown cursor") from None


def _part(part: object, kind: type) -> object:
    if kind is datetime:
        moment = datetime.fromisoformat(str(part))
        if moment.tzinfo is None or not 1900 <= moment.year < 2200:
            raise ValueError
        return moment
    if kind is date:
        return date.fromisoformat(str(part))
    if kind is UUID:
        return UUID(str(part))
    if type(part) is not kind or "\0" in str(part):
        raise ValueError
    str(part).encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
    if isinstance(part, int) and not 0 <= part < 2**62:
        raise ValueError
    return part
