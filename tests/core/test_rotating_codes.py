"""Codes on a screen: worthless a minute later, and never for anything else."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.rotating_codes import (
    Action,
    CodeExpired,
    CodeInvalid,
    OtherAction,
    RotatingCodes,
)

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32
ALPHABET = string.ascii_letters + string.digits + "-_"
AT = 1_790_000_010  # a step begins here: divisible by 15
codes = RotatingCodes([NEW])
times = st.integers(1_600_000_000, 4_000_000_000)
serials = st.integers(0, 2**32 - 1)


def accepted(text: str, at: float = AT, action: Action = Action.check_in) -> bool:
    try:
        codes.check(text, action, at)
    except (CodeInvalid, CodeExpired):
        return False
    return True


@given(serials, times, st.sampled_from(Action))
def test_a_code_leads_back_to_its_subject(serial: int, at: int, action: Action) -> None:
    code = codes.make(action, serial, at)
    assert len(code.text) == 32
    assert set(code.text) <= set(ALPHABET)
    assert codes.check(code.text, action, at) == serial


@given(serials, times, st.sampled_from([1, 2, 4, 8, 16]))
def test_a_code_in_groups_is_the_code(serial: int, at: int, size: int) -> None:
    code = codes.make(Action.check_in, serial, at).text
    groups = [code[place : place + size] for place in range(0, len(code), size)]
    assert codes.check("-".join(groups), Action.check_in, at) == serial
    assert not accepted("-".join([*groups[:-1], groups[-1] + "-"]), at)


@given(times)
def test_it_changes_every_fifteen_seconds(at: int) -> None:
    code = codes.make(Action.check_in, 7, at)
    assert 0 < code.next_at - at <= 15
    assert codes.make(Action.check_in, 7, code.next_at - 1).text == code.text
    assert codes.make(Action.check_in, 7, code.next_at).text != code.text


@given(times, st.floats(0, 60))
def test_it_is_accepted_for_less_than_45_seconds(shown: int, later: float) -> None:
    code = codes.make(Action.check_in, 7, shown)
    at = code.step * 15 + later
    if later < 45:
        assert codes.check(code.text, Action.check_in, at) == 7
        assert at < code.expires_at
    else:
        with pytest.raises(CodeExpired):
            codes.check(code.text, Action.check_in, at)


def test_a_phone_always_has_half_a_minute() -> None:
    """Whoever scans the last moment of a step still has two steps to send it."""
    code = codes.make(Action.check_in, 7, AT + 14.999)
    assert accepted(code.text, AT + 44.999)
    assert not accepted(code.text, AT + 45)


@given(times, st.integers(1, 10**6))
def test_a_code_of_the_future_is_refused(at: int, ahead: int) -> None:
    code = codes.make(Action.check_in, 7, (at // 15 + ahead) * 15)
    with pytest.raises(CodeInvalid):
        codes.check(code.text, Action.check_in, at)


def test_a_code_for_leaving_does_not_let_in() -> None:
    code = codes.make(Action.check_out, 7, AT)
    for at in (AT, AT + 1000):
        with pytest.raises(OtherAction):
            codes.check(code.text, Action.check_in, at)
    assert codes.check(code.text, Action.check_out, AT) == 7


def test_a_code_of_another_key_is_refused_at_any_age() -> None:
    code = RotatingCodes([FOREIGN]).make(Action.check_in, 7, AT)
    for at in (AT, AT + 1000):
        with pytest.raises(CodeInvalid):
            codes.check(code.text, Action.check_in, at)


def test_after_a_rotation_the_old_key_still_verifies_and_no_longer_signs() -> None:
    shown = RotatingCodes([OLD]).make(Action.check_in, 7, AT)
    both = RotatingCodes([NEW, OLD])
    assert both.check(shown.text, Action.check_in, AT) == 7
    assert both.make(Action.check_in, 7, AT).text == codes.make(Action.check_in, 7, AT).text
    with pytest.raises(CodeInvalid):
        codes.check(shown.text, Action.check_in, AT)


@given(serials)
def test_every_flipped_bit_is_refused(serial: int) -> None:
    raw = base64.urlsafe_b64decode(codes.make(Action.check_in, serial, AT).text)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CodeInvalid):
            codes.check(base64.urlsafe_b64encode(flipped).decode(), Action.check_in, AT)


@given(st.text(max_size=40) | st.text(ALPHABET, min_size=32, max_size=32))
def test_whatever_is_typed_is_an_answer_and_no_crash(text: str) -> None:
    assert not accepted(text)


@pytest.mark.parametrize("change", ["\n", " ", "=", "٣", "é"])
def test_the_shape_is_exact(change: str) -> None:
    text = codes.make(Action.check_in, 7, AT).text
    assert accepted(text)
    for wrong in (text + change, change + text, text[:-1] + change, text[:-1], text * 2):
        assert not accepted(wrong)


def test_two_activities_never_share_a_code() -> None:
    texts = {codes.make(Action.check_in, serial, AT).text for serial in range(1000)}
    assert len(texts) == 1000
