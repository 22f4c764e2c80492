"""Sentences with facts in them, in both languages: templates that are filled when they are read.

A template names each fact in braces, and after a colon what it is:

``{title}``                 a text
``{points:n}``              a whole number
``{points:n point}``        the same with an English noun, which takes an s unless it is 1
``{starts_at:time}``        a moment, shown as the date and time of Asia/Shanghai
``{ends_on:day}``           a calendar day
``{granted:granted|kept}``  yes or no, shown as the first or the second wording

Facts are kept as JSON between the two, without a sentence in either language.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from string import Formatter
from typing import Any

from app.core.clock import SHANGHAI
from app.core.language import Bilingual, Language

UNKNOWN = "–"  # of a fact that is not there: written by another version of a template


class FactsWrong(ValueError):
    """Facts are missing, unknown to the template, or of a wrong type."""


@dataclass(frozen=True)
class Template:
    """A sentence in both languages, which name the same facts."""

    sentence: Bilingual

    def __post_init__(self) -> None:
        if _types(self.sentence.zh) != _types(self.sentence.en):
            raise FactsWrong(f"the languages tell different facts: {self.sentence.en}")

    @cached_property
    def facts(self) -> dict[str, type]:
        """The facts that it needs, and what each is."""
        return _types(self.sentence.en)

    def packed(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return facts as JSON takes them. Raises FactsWrong."""
        if facts.keys() != self.facts.keys():
            raise FactsWrong(f"expected {sorted(self.facts)}, got {sorted(facts)}")
        wrong = [name for name, kind in self.facts.items() if not _is(facts[name], kind)]
        if wrong:
            raise FactsWrong(f"of a wrong type: {', '.join(sorted(wrong))}")
        return {name: _plain(value) for name, value in facts.items()}

    def filled(self, packed: Mapping[str, Any]) -> Bilingual:
        """Return the sentence with packed facts in both languages."""
        return Bilingual(
            _filled(self.sentence.zh, packed, "zh-CN"), _filled(self.sentence.en, packed, "en")
        )


def _fields(template: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield each literal part with the name and the specification of the fact after it."""
    for literal, name, spec, _ in Formatter().parse(template):
        yield literal, name, spec or ""


def _types(template: str) -> dict[str, type]:
    return {name: _type_of(spec) for _, name, spec in _fields(template) if name is not None}


def _type_of(spec: str) -> type:
    if "|" in spec:
        return bool
    return {"": str, "n": int, "time": datetime, "day": date}[spec.partition(" ")[0]]


def _is(value: object, kind: type) -> bool:
    """Tell whether a value is of a type: no bool is a number here, and no moment a day."""
    if kind is str:
        return isinstance(value, str)
    if kind is datetime:
        return isinstance(value, datetime) and value.tzinfo is not None
    return type(value) is kind


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value  # an enum's member is its text


def _filled(template: str, packed: Mapping[str, Any], language: Language) -> str:
    parts = []
    for literal, name, spec in _fields(template):
        parts.append(literal)
        if name is not None:
            value = packed.get(name)
            parts.append(UNKNOWN if value is None else _shown(value, spec, language))
    return "".join(parts)


def _shown(value: Any, spec: str, language: Language) -> str:
    kind, _, noun = spec.partition(" ")
    if "|" in spec:
        return spec.split("|")[0 if value else 1]
    if noun:
        return f"{value} {noun}{'' if value == 1 else 's'}"
    return _FORMATS[kind](value, language)


def _day(value: str, language: Language) -> str:
    return _date(date.fromisoformat(value), language)


def _time(value: str, language: Language) -> str:
    moment = datetime.fromisoformat(value).astimezone(SHANGHAI)
    comma = "" if language == "zh-CN" else ","
    return f"{_date(moment, language)}{comma} {moment:%H:%M}"


def _date(day: date, language: Language) -> str:
    if language == "zh-CN":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {day:%b} {day.year}"


_FORMATS: dict[str, Callable[[Any, Language], str]] = {
    "": lambda value, _: str(value),
    "n": lambda value, _: str(value),
    "time": _time,
    "day": _day,
}
