"""Number formats of cells: whether what a person sees is what the cell holds.

``;;;`` hides a value, ``0"00"`` makes a 3 look like 300, ``0,`` divides by a thousand, ``0%``
multiplies, ``d`` leaves the month out. A list of what is harmless, as what is not has no end.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

GENERAL = frozenset({"general", "@", "g/通用格式"})
# Significant digits that spreadsheets keep of a number. ``General`` shows fewer of a fraction, and
# of a number of more digits; that it shortens the twelfth to fifteenth is accepted: 13 digits
# are a card number, and a wider column shows them.
KEPT_DIGITS, FRACTION_DIGITS, LONG_DIGITS = 15, 9, 6
LARGEST = 1e300
# The system's short date, in whatever order its country has: what Excel gives to a typed date.
SYSTEM_DATES = {"mm-dd-yy": "yyyy-mm-dd", "m/d/yy h:mm": "yyyy-mm-dd h:mm"}
# Room as wide as a character, red, an escaped space: none of them changes a digit.
_MARGINS = re.compile(r"_.|\[red\]|\[红色\]|\\ ")
_NUMBER = re.compile(r"(?P<shown>(#,##)?0(\.(?P<decimals>0{1,15}))?)(;\\?-(?P=shown))?")
_LITERALS = re.compile(r'"([年月日/.\- ]*)"|\\([/.\- ])')
_MOMENT = re.compile(
    r"(?P<date>yyyy[-/.年]m{1,2}[-/.月]d{1,2}日?)?(?(date)( +(?=h))?)"
    r"(?P<time>h{1,2}:mm(?P<seconds>:ss)?)?"
)


@dataclass(frozen=True, slots=True)
class Format:
    """What a harmless format shows: all of a number or its ``decimals``; parts of a moment."""

    is_general: bool = False
    decimals: int | None = None
    has_date: bool = False
    has_time: bool = False
    has_seconds: bool = False


def code_of(workbook: Any, style: int) -> str | None:
    """Return the code of a cell's number format; None for one that has no code in the file."""
    number = workbook._cell_styles[style].numFmtId
    if number < BUILTIN_FORMATS_MAX_SIZE:
        return BUILTIN_FORMATS.get(number)
    code: str | None = workbook._number_formats[number - BUILTIN_FORMATS_MAX_SIZE]
    return code


@lru_cache(maxsize=1000)
def harmless(code: str | None) -> Format | None:
    """Return what a format shows; None for one that is not on the list."""
    if code is None:
        return None
    code = SYSTEM_DATES.get(code.lower(), code.lower())
    if code in GENERAL:
        return Format(is_general=True)
    if number := _NUMBER.fullmatch(_MARGINS.sub("", code)):
        return Format(decimals=len(number["decimals"] or ""))
    text = re.sub(r"^\[\$-(804|409)\]", "", code.removesuffix(";@"))
    moment = _MOMENT.fullmatch(_LITERALS.sub(r"\1\2", text))
    if moment is None or not moment[0]:
        return None
    return Format(
        has_date=bool(moment["date"]),
        has_time=bool(moment["time"]),
        has_seconds=bool(moment["seconds"]),
    )


def shows(code: str | None, value: object) -> bool:
    """Whether a cell with this format shows all of its value."""
    shown = harmless(code)
    if shown is None:
        return False
    match value:
        case str() | bool():  # formats with less than four sections leave text as it is
            return True
        case int() | float() as number:
            return _shows_number(shown, number)
        case datetime() as moment:
            return shown.has_date and _shows_time(shown, moment.time(), is_part=True)
        case date():
            return shown.has_date
        case other:
            return isinstance(other, time) and not shown.has_date and _shows_time(shown, other)


def _shows_number(shown: Format, number: float) -> bool:
    if abs(number) > LARGEST or not _has_digits(KEPT_DIGITS, number):
        return False
    if shown.decimals is not None:
        return round(number, shown.decimals) == number
    if abs(number) >= 10**KEPT_DIGITS:
        return shown.is_general and _has_digits(LONG_DIGITS, number)
    is_whole = isinstance(number, int) or number.is_integer()
    return shown.is_general and (is_whole or _has_digits(FRACTION_DIGITS, number))


def _has_digits(most: int, number: float) -> bool:
    """Whether a number has no more significant digits than this."""
    return float(f"{number:.{most}g}") == number


def _shows_time(shown: Format, clock: time, *, is_part: bool = False) -> bool:
    """``is_part``: of a moment, which at midnight is a date and needs no time."""
    if is_part and clock == time.min:
        return True
    return shown.has_time and not clock.microsecond and (shown.has_seconds or not clock.second)
