"""Keyset pages: an opaque cursor that holds the sort key of the last item."""

import base64
import binascii
import json
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.core.validation_messages import invalid

MAX_CURSOR = 300


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
