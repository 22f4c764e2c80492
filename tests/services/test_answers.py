"""Answers: each kind of question against right and wrong answers, and who lacks some."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core import phones
from app.core.errors import Invalid
from app.models.forms import FormVersion
from app.runtime import Runtime
from app.services import answers
from tests.factories.activities import make_activity
from tests.factories.forms import (
    ANSWERS,
    KEPT,
    QUESTIONS,
    answer,
    edit_form,
    make_asking,
    make_form,
    set_form,
)
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_people

PICTURE = str(UUID(int=1))


def version_of(*questions: dict[str, Any]) -> FormVersion:
    nobody = UUID(int=0)
    return FormVersion(
        form_id=nobody,
        number=1,
        title="表",
        questions=[*questions],
        has_required=True,
        created_by=nobody,
    )


VERSION = version_of(*QUESTIONS)


def test_answers_are_normalized_and_what_is_empty_is_left_out() -> None:
    given = ANSWERS | {
        "why": "  帮忙 ",
        "age": 18.0,
        "days": ["l"],
        "since": "2020-02-29",
        "photo": [PICTURE.upper()],
    }
    kept = {"why": "帮忙", "age": 18, "days": ["l"], "since": "2020-02-29", "photo": [PICTURE]}
    assert answers.validate(VERSION, given) == KEPT | kept
    empty: dict[str, Any] = {"why": " \u200b", "age": None, "days": [], "since": "", "photo": []}
    assert answers.validate(VERSION, ANSWERS | empty) == {k: KEPT[k] for k in KEPT if k != "why"}


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        *(("why", one) for one in (1, True, ["m"], "十一个字的答案实在太长了")),
        *(("age", one) for one in ("18", True, 13, 61, 18.5, [18])),
        *(("size", one) for one in (None, "", "xl", "中号", 1, ["m"])),
        *(("days", one) for one in ("m", ["xl"], ["m", "m"], ["m", "l"])),
        *(("since", one) for one in ("2023-02-29", "1899-12-31", "2020-2-1", "20200201", 2020)),
        *(
            ("phone", one)
            for one in (None, "12345678901", "88012345", "+1 202 555 0100", 13812345678)
        ),
        *(("agreed", one) for one in (None, False, "true", 1)),
        *(
            ("photo", one)
            for one in (PICTURE, ["x"], [PICTURE, PICTURE], [str(UUID(int=n)) for n in range(3)])
        ),
        ("unknown", "x"),
    ],
)
def test_a_wrong_answer_is_told_by_its_key_in_both_languages(key: str, wrong: Any) -> None:
    with pytest.raises(Invalid) as refused:
        answers.validate(VERSION, ANSWERS | {key: wrong})
    [field] = refused.value.fields or ()
    assert field["field"] == f"body.answers.{key}"
    assert field["msg"].en.isascii()
    assert not field["msg"].zh.isascii()


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        answers.validate(VERSION, {"age": "x", "what": 1})
    told = {one["field"].rpartition(".")[2] for one in refused.value.fields or ()}
    assert told == {"age", "what", "size", "phone", "agreed"}


@pytest.mark.parametrize(
    ("places", "given", "is_right"),
    [(2, 1.25, True), (2, 1.255, False), (2, 100.1, True), (4, 0.1 + 0.2, False), (0, 1e2, True)],
)
def test_decimals_are_counted_as_they_are_written(
    places: int, given: float, is_right: bool
) -> None:
    question = {"key": "a", "kind": "number", "label": "数", "decimals": places}
    version = version_of(question)
    if is_right:
        assert answers.validate(version, {"a": given}) == {"a": given}
    else:
        with pytest.raises(Invalid):
            answers.validate(version, {"a": given})


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("138 1234 5678", "13812345678"),
        ("＋８６ １３８１２３４５６７８", "13812345678"),
        ("0086-13812345678", "13812345678"),
        ("(0511) 8801-2345", "0511-88012345"),
        ("010 6512 3456", "010-65123456"),
        ("+86 10 65123456", "010-65123456"),
        ("+86 (0)511 8801234", "0511-8801234"),
        ("010 651 2345", None),
        ("511 88012345", None),
        ("023 12345678", None),
        ("138123456789", None),
        ("", None),
    ],
)
def test_telephone_numbers_have_one_spelling(typed: str, kept: str | None) -> None:
    assert phones.normalized(typed) == kept


async def test_who_lacks_required_answers(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    form = await make_form(api, organizer, org)
    activity, asked = await make_asking(api, runtime, organizer, org, form)
    optional = await make_form(api, organizer, org, questions=QUESTIONS[:2])
    relaxed, _ = await make_asking(api, runtime, organizer, org, optional)
    bare = await make_activity(runtime, org=org)
    done, late = await make_people(runtime, 2)
    assert (await answer(api, done, asked)).status_code == 200
    await edit_form(api, organizer, form, {"title": "新", "questions": QUESTIONS[2:]})
    await set_form(api, organizer, activity.id, form)
    pairs = [(a.id, p.id) for a in (activity, relaxed, bare) for p in (done, late)]

    async with runtime.database.read() as tx:
        assert await answers.missing(tx, pairs) == {(activity.id, late.id)}
        assert await answers.missing(tx, []) == set()
