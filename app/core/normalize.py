"""Normalization of numbers on documents: spellings that look the same become equal."""

import re
import unicodedata

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
# XML knows no control characters, and with the others a title could read as another.
_ILLEGIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def normalized(number: str) -> str:
    """Return the normalized spelling of a number: ``ｎｏ．〔１２〕 `` becomes ``no.(12)``.

    NFKC and case folding, one kind of dash and of brackets, no spaces or invisible characters,
    Latin letters for those that look like them. So numbers that a person cannot tell apart
    count as the same.
    """
    folded = unicodedata.normalize("NFKC", number).casefold().translate(_ONE_FOR_ALL)
    kinds = ((char, unicodedata.category(char)) for char in folded)
    return "".join(
        _BY_CATEGORY.get(kind, char)
        for char, kind in kinds
        if not char.isspace() and kind not in _UNSEEN and char not in _EMPTY
    )


def legible(text: str) -> str:
    """Return a text as one line that every document can hold, and that reads as it is."""
    return _ILLEGIBLE.sub("\ufffd", " ".join(text.split()))
