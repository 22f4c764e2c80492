"""When two spellings are one number."""

import sys

import pytest

from app.core.normalize import normalized


@pytest.mark.parametrize(
    "spelled",
    [
        "C-123",
        "c-123",
        "Ｃ－１２３",
        " C - 123 ",
        "C\u2010123",
        "C\u2014123",
        "C\u2212123",
        "C-\u200b123",
        "C-12\u00ad3",
        "C-123\ufe0f",
        "C-123\u3164",
        "C-123\u2800",
        "C\u30fc123",
        "C\u2500123",
        "C\u4e00123",
        "\u0421-123",
        "\u0441-123",
    ],
)
def test_what_looks_the_same_is_the_same(spelled: str) -> None:
    assert normalized(spelled) == "c-123"


@pytest.mark.parametrize("spelled", ["扬青发[2026]3号", "扬青发（2026）3號", "扬青发【2026】3号"])
def test_a_bracket_is_a_bracket(spelled: str) -> None:
    assert normalized(spelled) == normalized("扬青发〔2026〕3号") == "扬青发(2026)3号"


def test_a_circle_among_chinese_figures_is_the_figure() -> None:
    assert normalized("二○二六") == normalized("二〇二六")


@pytest.mark.parametrize("letters", ["АВЕКМНОРСТХУІЈЅ", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"])
def test_letters_that_look_like_latin_ones_are_those(letters: str) -> None:
    assert normalized(letters).isascii()


@pytest.mark.parametrize(
    "figures",
    ["１２３", "\u0661\u0662\u0663", "\u06f1\u06f2\u06f3", "\u0967\u0968\u0969", "𝟏𝟐𝟑"],
    ids=lambda text: " ".join(f"{ord(char):04x}" for char in text),
)
def test_a_figure_of_any_script_is_the_figure(figures: str) -> None:
    assert normalized(f"C-{figures}") == "c-123"


def test_every_decimal_digit_of_unicode_is_folded() -> None:
    digits = [char for char in map(chr, range(sys.maxunicode + 1)) if char.isdecimal()]
    assert len(digits) > 600
    assert {normalized(char) for char in digits} == set("0123456789")


def test_what_looks_different_is_different() -> None:
    numbers = ["C-123", "C123", "C-124", "D-123", "案-123", "C.123"]
    assert len({normalized(number) for number in numbers}) == len(numbers)
