"""Spelling: when two texts that name something are the same name."""

import unicodedata

# Letters and a symbol, says Unicode, that show nothing: fillers of Hangul, an empty Braille cell.
_EMPTY = "\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}\N{BRAILLE PATTERN BLANK}"


def normal(number: str) -> str:
    """Spell a number one way: ``ｎｏ．１２ `` is ``no.12``.

    Without what nobody sees, and with one dash for all: two people who look at two spellings
    must be able to tell them apart.
    """
    folded = unicodedata.normalize("NFKC", number).casefold()
    kinds = ((char, unicodedata.category(char)) for char in folded)
    return "".join(
        "-" if kind == "Pd" or char == "\N{MINUS SIGN}" else char
        for char, kind in kinds
        if not char.isspace() and kind not in ("Cf", "Cc", "Mn", "Me") and char not in _EMPTY
    )
