"""Keyset paging: an opaque cursor holds the sort key of the last item of a page."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.core.validation_messages import invalid

MAX_CURSOR = 300
T = TypeVar("T")
R = TypeVar("R")
Key = tuple[Any, ...]


class PageParams(NamedTuple):
    """What a caller asks for: ``limit`` items (1 to 100) after those that ``cursor`` ends."""

    limit: int
    cursor: str | None = None

    def after(self, *kinds: type) -> Key | None:
        """Return the sort key, of parts of these kinds, to continue after. Raises Invalid."""
        return decode_cursor(self.cursor, *kinds)


class Page(BaseModel, Generic[T]):
    """A keyset page. ``next_cursor`` goes back as ``cursor``; null is the end."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    items: list[T]
    next_cursor: str | None = None


async def keyset(
    page: PageParams,
    kinds: Sequence[type],
    read: Callable[[Key | None, int], Awaitable[Sequence[R]]],
    to_out: Callable[[R], T],
    key: Callable[[R], Key],
) -> Page[T]:
    """Return a page of what ``read(after, limit)`` finds in the order of ``key``.

    One row more than asked for is read: it tells whether there is a next page. Raises
    Invalid for a cursor that is none of ours.
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
    """Return a page of rows that ``read(last_id, limit)`` finds in the order of their ``id``."""
    return await keyset(
        page,
        (UUID,),
        lambda after, limit: read(after[0] if after else None, limit),
        to_out,
        lambda row: (row.id,),  # type: ignore[attr-defined]
    )


def encode_cursor(*key: Any) -> str:
    """Pack a sort key: strings, integers, times, days and ids."""
    plain = [part.isoformat() if isinstance(part, date) else part for part in key]
    raw = json.dumps([str(p) if isinstance(p, UUID) else p for p in plain], ensure_ascii=False)
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """Unpack a sort key of the given kinds, which ``_part`` knows; raise Invalid if forged."""
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
    str(part).encode()  # half a surrogate pair is a ValueError
    if isinstance(part, int) and not 0 <= part < 2**62:
        raise ValueError
    return part
