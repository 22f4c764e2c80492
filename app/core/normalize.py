"""Normalization of names, numbers on documents and codes: what looks the same becomes equal."""

import re
import unicodedata
from collections.abc import Iterable

# Invisible characters whose Unicode category is a letter or symbol.
_EMPTY = "\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}\N{BRAILLE PATTERN BLANK}"
# Characters that look like a dash but are not in its category (Pd): minus, the Japanese long
# vowel, box-drawing lines, the Chinese figure one.
_DASHES = "\u2212\u30fc\u2500\u2501\u4e00"
# Case-folded Cyrillic and Greek letters, by the Latin letter that their capital looks like.
_LOOK_ALIKE = {
    "a": "\u0430\u03b1",
    "b": "\u0432\u03b2",
    "c": "\u0441\u03f2",
    "e": "\u0435\u03b5",
    "h": "\u043d\u03b7",
    "i": "\u0456\u04cf\u03b9",
    "j": "\u0458\u03f3",
    "k": "\u043a\u03ba",
    "m": "\u043c\u03bc",
    "n": "\u03bd",
    "o": "\u043e\u03bf",
    "p": "\u0440\u03c1",
    "s": "\u0455",
    "t": "\u0442\u03c4",
    "x": "\u0445\u03c7",
    "y": "\u0443\u04af\u03c5",
    "z": "\u03b6",
}
_ONE_FOR_ALL = str.maketrans(
    {
        **dict.fromkeys(_DASHES, "-"),
        **{char: latin for latin, chars in _LOOK_ALIKE.items() for char in chars},
        "\u865f": "\u53f7",  # 號, 号
        **dict.fromkeys("\u25cb\u25ef", "\u3007"),  # circles that stand for the figure 〇
    }
)
_BY_CATEGORY = {"Pd": "-", "Ps": "(", "Pe": ")"}
_UNSEEN = ("Cf", "Cc", "Mn", "Me")
# What a line of text does not hold: tabs, line breaks, delete and the controls above ASCII.
_BREAKS = ((0x09, 0x0A), (0x0D, 0x0D), (0x7F, 0x9F), (0x2028, 0x2029))
# Unicode's Default_Ignorable_Code_Point, interlinear annotation, the braille blank, the empty
# musical note.
_INVISIBLE = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5)),
    *((0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800)),
    *((0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB)),
    *((0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)


def _class(ranges: Iterable[tuple[int, int]]) -> str:
    """Return the inside of a character class, for Python and for ECMA 262 with the u flag."""
    return "".join(
        f"\\u{first:04x}-\\u{last:04x}" if last < 0x10000 else f"{chr(first)}-{chr(last)}"
        for first, last in ranges
    )


BREAKS, INVISIBLE = _class(_BREAKS), _class(_INVISIBLE)
# For patterns that ECMA 262 reads without the u flag too, where these take two code units.
INVISIBLE_BASIC = _class(one for one in _INVISIBLE if one[1] < 0x10000)
_BREAK, _VISIBLE = re.compile(f"[{BREAKS}]"), re.compile(rf"[^\s{INVISIBLE}]")
# For private use, unassigned, half a surrogate pair: what they look like is anybody's guess.
_NO_CHARACTER = {"Co", "Cn", "Cs"}
# Blocks of ideographs and of emoji alone: what is unassigned there may be newer than this Python.
_GROWING = ((0x1F000, 0x1FAFF), (0x20000, 0x2FFFD), (0x30000, 0x3FFFD))
# XML knows no control characters, and with the others a title could read as another.
_ILLEGIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def is_one_line(text: str) -> bool:
    return _BREAK.search(text) is None


def is_visible(text: str) -> bool:
    """Whether a text shows anything: no blanks, fillers, joiners or tags alone.

    A combining mark shows what it stands on: as the first to be seen it would be on something else.
    """
    first = _VISIBLE.search(text)
    return first is not None and not unicodedata.category(first[0]).startswith("M")


def is_known(text: str) -> bool:
    """Whether all of a text is characters of Unicode, which look the same everywhere."""
    return all(
        unicodedata.category(char) not in _NO_CHARACTER
        or any(first <= ord(char) <= last for first, last in _GROWING)
        for char in text
    )


def composed(text: str) -> str:
    """Return the NFC of a text: a letter and its accent as one character."""
    return unicodedata.normalize("NFC", text)


def tag(text: str) -> str:
    """Return the normalized spelling of a tag: ``ＡＩ　 Lab`` becomes ``ai lab``."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def normalized(number: str) -> str:
    """Return the normalized spelling of a number: ``ｎｏ．〔１２〕 `` becomes ``no.(12)``.

    NFKC and case folding, decimal digits of every script as ASCII ones, one kind of dash and of
    brackets, no spaces or invisible characters, Latin letters for those that look like them. So
    numbers that a person cannot tell apart count as the same.
    """
    folded = _with_ascii_digits(number).casefold().translate(_ONE_FOR_ALL)
    kinds = ((char, unicodedata.category(char)) for char in folded)
    return "".join(
        _BY_CATEGORY.get(kind, char)
        for char, kind in kinds
        if not char.isspace() and kind not in _UNSEEN and char not in _EMPTY
    )


def code_as_read(text: str) -> str:
    """Return a typed or scanned code without spaces, its dashes as hyphens, its digits as ASCII."""
    return "".join(
        _BY_CATEGORY["Pd"] if unicodedata.category(char) == "Pd" or char == "\u2212" else char
        for char in _with_ascii_digits(text)
        if not char.isspace() and unicodedata.category(char) not in _UNSEEN
    )


def _with_ascii_digits(text: str) -> str:
    """Return the NFKC of a text with decimal digits of every script as ASCII ones."""
    return "".join(
        str(unicodedata.decimal(char)) if unicodedata.category(char) == "Nd" else char
        for char in unicodedata.normalize("NFKC", text)
    )


def legible(text: str) -> str:
    """Return a text as one line that every document can hold, and that reads as it is."""
    return _ILLEGIBLE.sub("\ufffd", " ".join(text.split()))
