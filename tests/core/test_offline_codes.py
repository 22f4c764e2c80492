"""Offline codes: verified without the server, worthless for anything else."""

from hypothesis import given
from hypothesis import strategies as st

from app.core import base64url
from app.core.offline_codes import (
    CODE_LENGTH,
    EPOCH_SECONDS,
    STEP_SECONDS,
    OfflineCodeForged,
    OfflineCodeMalformed,
    OfflineCodes,
)

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32
AT = 1_796_000_400
STEP = AT // STEP_SECONDS
codes = OfflineCodes([NEW])
CODE = codes.make(7, "0072", 42, 0, STEP)


def verdict(text: str, by: OfflineCodes = codes) -> str:
    try:
        by.read(text)
    except OfflineCodeMalformed:
        return "malformed"
    except OfflineCodeForged:
        return "forged"
    return "ours"


@given(
    *(st.integers(1, 2**31 - 1), st.from_regex("[0-9]{4}", fullmatch=True)),
    *(st.integers(1, 2**31 - 1), st.integers(0, 65_535), st.integers(5_000_000, 13_000_000)),
)
def test_a_code_is_read_as_it_was_made(
    card: int, digits: str, activity: int, session: int, step: int
) -> None:
    text = codes.make(card, digits, activity, session, step)
    found = codes.read(text)
    assert len(text) == CODE_LENGTH <= 200
    assert (found.card, found.activity, found.session, found.step) == (
        *(card, activity, session),
        step,
    )
    assert found.is_for(digits)
    assert not found.is_for(f"{(int(digits) + 1) % 10_000:04}")


@given(st.integers(0, 102), st.integers(1, 255))
def test_no_byte_can_be_changed(place: int, change: int) -> None:
    raw = bytearray(base64url.decode(CODE, 103) or b"")
    raw[place] ^= change
    assert verdict(base64url.encode(bytes(raw))) == ("malformed" if place == 0 else "forged")


def test_what_is_no_code_is_malformed() -> None:
    for text in ("", "A" * 138, CODE[:-1], CODE + "A", CODE + "==", " " + CODE, "\u9752" * 138):
        assert verdict(text) == "malformed"


def test_keys_of_another_secret_do_not_sign_and_those_of_the_previous_do() -> None:
    assert verdict(CODE, OfflineCodes([FOREIGN])) == "forged"
    assert verdict(CODE, OfflineCodes([FOREIGN, NEW])) == "ours"
    assert OfflineCodes([OLD, NEW]).make(7, "0072", 42, 0, STEP) != CODE


def test_the_number_of_the_card_is_not_in_it() -> None:
    """Two codes of one card have nothing in common but the header, nor do two cards at once."""
    later, other = codes.make(7, "0072", 42, 0, STEP + 1), codes.make(8, "0080", 42, 0, STEP)
    raws = [base64url.decode(one, 103) or b"" for one in (CODE, later, other)]
    for start, end in ((15, 35), (35, 39)):
        assert len({one[start:end] for one in raws}) == 3
    assert (7).to_bytes(4) not in raws[0][15:]


def test_a_code_is_of_its_step_and_one_around_it() -> None:
    found = codes.read(CODE)
    begin = STEP * STEP_SECONDS
    assert found.is_current(begin - STEP_SECONDS)
    assert found.is_current(begin + 2 * STEP_SECONDS - 1)
    assert not found.is_current(begin - STEP_SECONDS - 1)
    assert not found.is_current(begin + 2 * STEP_SECONDS)


def test_keys_are_published_before_they_sign() -> None:
    both = OfflineCodes([NEW, OLD])
    end = (AT // EPOCH_SECONDS + 1) * EPOCH_SECONDS
    now, next_ = both.public_keys(AT), both.public_keys(end)
    assert [(one.starts, one.ends) for one in now[:2]] == [
        (end - EPOCH_SECONDS, end),
        (end, end + EPOCH_SECONDS),
    ]
    assert len({one.id for one in now}) == 4  # of two secrets
    assert now == both.public_keys(end - 1) == both.public_keys(end - EPOCH_SECONDS)
    assert now[1] == next_[0] != next_[1]
    for moment, key in ((end - 1, now[0]), (end, now[1])):
        text = both.make(7, "0072", 42, 0, moment // STEP_SECONDS)
        assert (base64url.decode(text, 103) or b"")[1:5].hex() == key.id
