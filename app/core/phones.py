"""Telephone numbers of mainland China, in one spelling each."""

import re

from app.core.normalize import code_as_read

_SEPARATORS = str.maketrans("", "", "-().")
_COUNTRY = r"(?:\+86|0086|86)"
_MOBILE = re.compile(rf"{_COUNTRY}?(1[3-9][0-9]{{9}})")
# Beijing and cities with two digits have eight digits, the others seven or eight. The 0 of the
# area code is not dialled after the country code.
_AREA = r"(10|2[0-57-9]|[3-9][0-9]{2})"
_LANDLINE = re.compile(rf"(?:{_COUNTRY}0?|0){_AREA}([2-8][0-9]{{6,7}})")
_SHORT_AREA_DIGITS = 8


def normalized(text: str) -> str | None:
    """Return ``13812345678`` or ``0511-88012345``; None for what is no mainland number."""
    digits = code_as_read(text).translate(_SEPARATORS)
    if mobile := _MOBILE.fullmatch(digits):
        return mobile[1]
    landline = _LANDLINE.fullmatch(digits)
    if landline is None:
        return None
    area, number = landline[1], landline[2]
    if len(area) == len("10") and len(number) != _SHORT_AREA_DIGITS:
        return None
    return f"0{area}-{number}"
