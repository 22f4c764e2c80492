"""Cursors: opaque, exact, and refused when forged."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.core.paging import MAX_CURSOR, decode_cursor, encode_cursor


def packed(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
    st.integers(0, 2**62 - 1),
    st.integers(-2_000_000_000, 7_000_000_000).map(
        lambda seconds: datetime.fromtimestamp(seconds, UTC).astimezone(
            timezone(timedelta(hours=8))
        )
    ),
    st.uuids(),
)
def test_a_cursor_holds_its_key(text: str, number: int, moment: datetime, name: UUID) -> None:
    cursor = encode_cursor(text, number, moment, name)
    assert decode_cursor(cursor, str, int, datetime, UUID) == (text, number, moment, name)
    assert all(char.isalnum() or char in "-_" for char in cursor)


def test_no_cursor_is_the_first_page() -> None:
    assert decode_cursor(None, int) is None


def test_the_longest_key_of_ours_fits_the_limit() -> None:
    assert len(encode_cursor("9" * 20, datetime.now(UTC), uuid4())) <= MAX_CURSOR


FORGED = {
    "empty": "",
    "no base64": "!!!",
    "not ascii": "青享",
    "no json": base64.urlsafe_b64encode(b"{").decode(),
    "no utf-8": base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "an object": packed({"0": 1}),
    "a number": packed(1),
    "null": packed(None),
    "too few parts": packed([]),
    "too many parts": packed([1, 2]),
    "a string for a number": packed(["1"]),
    "a boolean for a number": packed([True]),
    "a float for a number": packed([1.0]),
    "null for a number": packed([None]),
    "a number beyond bigint": packed([2**63]),
    "a number below bigint": packed([-(2**63)]),
    "a huge number": packed([10**200]),
    "not a number": base64.urlsafe_b64encode(b"[NaN]").decode(),
    "nested too deep": base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    "thousands of digits": base64.urlsafe_b64encode(b"[" + b"9" * 5000 + b"]").decode(),
}


@pytest.mark.parametrize("cursor", FORGED.values(), ids=FORGED.keys())
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_cursor(cursor, int)
    assert refused.value.fields == [
        {"field": "query.cursor", "msg": ("分页标记无效", "unknown cursor")}
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("not-a-uuid", UUID),
        (1, UUID),
        ("yesterday", datetime),
        ("2026-01-01T00:00:00", datetime),  # without a zone
        (1, datetime),
        ("a\0b", str),  # PostgreSQL has no NUL
        (1, str),
        (["x"], str),
    ],
)
def test_a_part_of_another_kind_is_refused(value: Any, kind: type) -> None:
    with pytest.raises(Invalid):
        decode_cursor(packed([value]), kind)


@given(st.text(max_size=300), st.sampled_from([int, str, UUID, datetime]))
def test_whatever_comes_is_a_key_or_a_refusal(cursor: str, kind: type) -> None:
    try:
        key = decode_cursor(cursor, kind)
    except Invalid:
        return
    assert key is not None
    assert isinstance(key[0], kind)


@given(st.binary(max_size=60), st.sampled_from([int, str, UUID, datetime]))
def test_whatever_is_packed_is_a_key_or_a_refusal(raw: bytes, kind: type) -> None:
    cursor = base64.urlsafe_b64encode(b'["' + raw + b'"]').decode()
    try:
        decode_cursor(cursor, kind)
    except Invalid:
        return


def test_a_lone_surrogate_cannot_reach_the_database() -> None:
    """JSON can write what UTF-8 cannot: asyncpg would raise, which is a 500."""
    with pytest.raises(Invalid):
        decode_cursor(packed(["\ud800"]), str)
