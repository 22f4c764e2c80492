"""Printed codes: valid for their subject alone, for as long as the secret is known."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.poster_codes import MAX_ISSUE, Poster, PosterCodeInvalid, PosterCodes, PosterKind
from app.core.rotating_codes import Action, CodeInvalid, RotatingCodes
from app.core.scanned import MAX_SCANNED, code_of, url_of

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32
ALPHABET = string.ascii_letters + string.digits + "-_"
codes = PosterCodes([NEW])
posters = st.builds(Poster, st.integers(0, 2**32 - 1), st.integers(1, MAX_ISSUE))


def accepted(text: str, kind: PosterKind = PosterKind.checkpoint, by: PosterCodes = codes) -> bool:
    try:
        by.check(text, kind)
    except PosterCodeInvalid:
        return False
    return True


@given(posters, st.sampled_from(PosterKind))
def test_a_code_leads_back_to_its_subject_and_issue(poster: Poster, kind: PosterKind) -> None:
    code = codes.make(kind, poster)
    assert len(code) == 32
    assert set(code) <= set(ALPHABET)  # what WeChat accepts as a scene
    assert codes.check(code, kind) == poster
    assert [accepted(code, one) for one in PosterKind] == [one is kind for one in PosterKind]


@given(posters, st.integers(0, 23), st.integers(1, 255))
def test_a_changed_byte_is_refused(poster: Poster, place: int, flip: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(codes.make(PosterKind.checkpoint, poster)))
    raw[place] ^= flip
    assert not accepted(base64.urlsafe_b64encode(bytes(raw)).decode())


@pytest.mark.parametrize(
    "text", ["", "x" * 31, "x" * 33, "x" * 31 + "=", "码" * 32, "x" * 31 + "\n"]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    assert not accepted(text)


def test_the_previous_secret_verifies_and_no_other() -> None:
    printed = PosterCodes([OLD]).make(PosterKind.checkpoint, Poster(7, 1))
    assert accepted(printed, by=PosterCodes([NEW, OLD]))
    assert not accepted(printed, by=PosterCodes([NEW]))
    assert not accepted(printed, by=PosterCodes([FOREIGN]))


def test_codes_of_screens_and_of_posters_are_not_exchangeable() -> None:
    screen = RotatingCodes([NEW])
    assert not accepted(screen.make(Action.check_out, 7, 1_790_000_010).text)
    with pytest.raises(CodeInvalid):
        screen.check(codes.make(PosterKind.activity, Poster(7, 1)), Action.check_in, 0)


@given(posters)
def test_a_code_is_found_in_what_was_scanned(poster: Poster) -> None:
    code = codes.make(PosterKind.checkpoint, poster)
    assert code_of(code) == code_of(f" {code}\n") == code
    for url in (
        url_of("https://youth.example.cn", code),
        f"http://127.0.0.1:8000/c/{code}/",
        f"HTTPS://example.com/youth/c/{code}?from=poster#top",
        f"https://example.com/c/c/{code}",
    ):
        assert code_of(str(url)) == code


@pytest.mark.parametrize(
    "text",
    ["https://example.com/d/x", "https://example.com/c/x/y", "ftp://example.com/c/x", "/c/x"],
)
def test_another_text_is_no_code(text: str) -> None:
    assert code_of(text) == text
    assert not accepted(code_of(text))


def test_a_long_text_yields_nothing() -> None:
    assert code_of("https://example.com/" + "a" * MAX_SCANNED + "/c/x") == ""
