"""Templates: facts are checked when they are packed, and shown in the reader's language."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.core.language import Bilingual
from app.core.wording import FactsWrong, Template

EVERYTHING = Template(
    Bilingual(
        "{title}：{points:n} 分，{starts_at:time} 至 {ends_on:day}，{granted:是|否}",
        "{title}: {points:n point}, {starts_at:time} to {ends_on:day}, {granted:yes|no}",
    )
)
FACTS: dict[str, Any] = {
    "title": "{植树} 100%",
    "points": 1,
    "starts_at": datetime(2026, 12, 31, 16, 5, tzinfo=UTC),
    "ends_on": date(2027, 1, 9),
    "granted": False,
}


def test_a_sentence_is_filled_in_both_languages_with_times_of_shanghai() -> None:
    assert EVERYTHING.filled(EVERYTHING.packed(FACTS)) == Bilingual(
        "{植树} 100%：1 分，2027年1月1日 00:05 至 2027年1月9日，否",
        "{植树} 100%: 1 point, 1 Jan 2027, 00:05 to 9 Jan 2027, no",
    )


@pytest.mark.parametrize(("number", "shown"), [(0, "0 points"), (1, "1 point"), (2, "2 points")])
def test_an_english_noun_takes_an_s_unless_it_is_one(number: int, shown: str) -> None:
    template = Template(Bilingual("{n:n}", "{n:n point}"))
    assert template.filled({"n": number}) == Bilingual(str(number), shown)


def test_packed_facts_are_json_without_a_sentence() -> None:
    assert EVERYTHING.packed(FACTS) == {
        "title": "{植树} 100%",
        "points": 1,
        "starts_at": "2026-12-31T16:05:00+00:00",
        "ends_on": "2027-01-09",
        "granted": False,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"points": "1"},
        {"points": True},
        {"points": 1.0},
        {"points": None},
        {"title": 1},
        {"starts_at": "2026-12-31T16:05:00+00:00"},
        {"starts_at": datetime(2026, 12, 31)},  # noqa: DTZ001 - without a zone it is no moment
        {"starts_at": date(2026, 12, 31)},
        {"ends_on": datetime(2027, 1, 9, tzinfo=UTC)},
        {"granted": 1},
        {"more": 1},
    ],
    ids=str,
)
def test_a_fact_of_another_type_or_name_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FactsWrong):
        EVERYTHING.packed(FACTS | changes)


@pytest.mark.parametrize("missing", FACTS)
def test_a_missing_fact_is_refused_when_sent_and_a_dash_when_read(missing: str) -> None:
    fewer = {name: value for name, value in FACTS.items() if name != missing}
    with pytest.raises(FactsWrong, match=missing):
        EVERYTHING.packed(fewer)
    packed = {n: v for n, v in EVERYTHING.packed(FACTS).items() if n != missing}
    assert "–" in EVERYTHING.filled(packed).zh


def test_both_languages_tell_the_same_facts() -> None:
    for zh, en in (("{a}", "{a} {b}"), ("{a}", "{b}"), ("{a}", "{a:n}")):
        with pytest.raises(FactsWrong):
            Template(Bilingual(zh, en))


def test_a_specification_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError):
        Template(Bilingual("{a:moon}", "{a:moon}"))
