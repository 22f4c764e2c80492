"""Card numbers in awards and deductions: nobody finds out by trying which ones exist, and whose."""

from typing import Any

import httpx
import pytest

from app.api.guesses import CARD_GUESS
from app.models.cards import MAX_SERIAL, card_number
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.factories.awards import award_body
from tests.factories.batches import BATCHES, body, donation, make_case, number, send, wrong
from tests.factories.deductions import belong, deduction_body
from tests.factories.http import assert_refused, keyed
from tests.factories.people import TestPerson
from tests.factories.sheets import XLSX, make_sheet
from tests.routers.test_limits import limited

UNKNOWN = [card_number(MAX_SERIAL - place) for place in range(500)]


def by_card(card_no: str, **changes: Any) -> dict[str, Any]:
    return {"card_no": card_no, "evidence": {"certificate": number()}} | changes


async def card_no(api: httpx.AsyncClient, person: TestPerson) -> str:
    return str((await api.get("/api/v1/me/card", headers=person.headers)).json()["card_no"])


@pytest.mark.parametrize("partial", [False, True])
async def test_unknown_cards_run_out(scratch: ScratchFactory, *, partial: bool) -> None:
    """In one batch or in many, refused or written in part: every unknown card counts."""
    async with limited(scratch) as (api, runtime):
        org, organizer, (first, *_) = await make_case(runtime)
        known = await card_no(api, first)
        for place in range(CARD_GUESS.burst):
            rows = [by_card(UNKNOWN[place]), by_card(known)]
            told = await send(api, organizer, org, *rows, partial=partial)
            assert told.status_code == (201 if partial else 422)
        spent = await send(api, organizer, org, by_card(UNKNOWN[-1]))
        right = await send(api, organizer, org, by_card(known))
        bad = await send(api, organizer, org, by_card(known, quantity=0), by_card(known))
        by_id = await send(api, organizer, org, donation(first))
    for refused in (spent, right, bad):
        assert_refused(refused, 429, "request.rate_limited")
        assert refused.headers["ratelimit-policy"] == '"card";q=20;w=600'
        assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert by_id.status_code == 201


async def test_a_sheet_of_unknown_cards_spends_all_at_once(scratch: ScratchFactory) -> None:
    async with limited(scratch) as (api, runtime):
        org, organizer, _ = await make_case(runtime)
        lines = [(card, number()) for card in UNKNOWN]
        sheet = make_sheet(("card_no", "certificate"), *lines)
        replies = [
            await api.post(
                f"{BATCHES}/sheet",
                headers=keyed(organizer),
                data={"org_id": str(org.id), "rule_key": "blood_donation"},
                files={"file": ("申报.xlsx", sheet, XLSX)},
            )
            for _ in range(2)
        ]
    assert len(wrong(replies[0])) == 500
    assert_refused(replies[1], 429, "request.rate_limited")
    assert int(replies[1].headers["retry-after"]) > CARD_GUESS.window_s / 2


async def test_what_is_right_or_mistyped_is_no_guess(scratch: ScratchFactory) -> None:
    async with limited(scratch) as (api, runtime):
        org, organizer, people = await make_case(runtime)
        cards = [await card_no(api, one) for one in people]
        digit = int(cards[0][-1])
        slips = [by_card(f"{cards[0][:-1]}{(digit + more) % 10}") for more in range(1, 10)]
        for _ in range(3):
            mistyped = await send(api, organizer, org, *slips)
            assert [field for _, field in wrong(mistyped)] == ["card_no"] * 9
            assert {one["msg"] for one in mistyped.json()["errors"]} == {"卡号有误"}
            done = await send(api, organizer, org, *[by_card(one) for one in cards])
            assert done.status_code == 201


async def test_a_repeat_is_no_new_guess(scratch: ScratchFactory) -> None:
    async with limited(scratch) as (api, runtime):
        org, organizer, _ = await make_case(runtime)
        headers, sent = keyed(organizer), body(org, [by_card(UNKNOWN[0])])
        first = await api.post(BATCHES, headers=headers, json=sent)
        for _ in range(2 * CARD_GUESS.burst):
            again = await api.post(BATCHES, headers=headers, json=sent)
            assert (again.status_code, again.content) == (422, first.content)
        await send(api, organizer, org, *[by_card(one) for one in UNKNOWN])
        again = await api.post(BATCHES, headers=headers, json=sent)
        assert again.content == first.content, "what was done is repeated to whoever may not guess"


async def test_whose_a_card_is_is_told_with_an_award_only(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A mistake in the row would else be a look-up that leaves no trace."""
    org, organizer, (first, second, third) = await make_case(runtime)
    cards = [await card_no(api, one) for one in (first, second)]
    probe, by_id = by_card(cards[1], evidence={}), donation(third) | {"evidence": {}}
    for language in ("zh-CN", "en"):
        organizer.headers["Accept-Language"] = language
        refused = await send(api, organizer, org, by_card(cards[0]), probe, by_id)
        assert str(second.id) not in refused.text
        assert wrong(refused) == [(2, "evidence.certificate"), (3, "evidence.certificate")]
    part = await send(api, organizer, org, by_card(cards[0]), probe, by_id, partial=True)
    assert part.status_code == 201
    told = [(one["person_id"], one["display_name"]) for one in part.json()["rows"]]
    assert told[0][0] == str(first.id)
    assert "*" in told[0][1]
    assert told[1:] == [(None, None), (str(third.id), None)]


async def test_awards_and_deductions_name_people_by_their_cards(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, organizer, people = await make_case(runtime)
    cards = [await card_no(api, one) for one in people]
    spaced = f"{cards[2][:4]} {cards[2][4:]}"

    async def send_to(noun: str, named: dict[str, Any], sample: dict[str, Any]) -> httpx.Response:
        rest = {k: v for k, v in sample.items() if k not in ("person_id", "person_ids")}
        return await api.post(f"/api/v1/{noun}", headers=keyed(organizer), json=rest | named)

    await belong(runtime, org, *people)
    award, breach = award_body(org, people), deduction_body(org, people[0])
    given = await send_to("awards", {"card_nos": [*cards[:2], spaced]}, award)
    taken = await send_to("deductions", {"card_no": cards[0]}, breach)

    assert (given.status_code, taken.status_code) == (201, 201), given.text + taken.text
    assert [one["person_id"] for one in given.json()["items"]] == [str(one.id) for one in people]
    assert taken.json()["person_id"] == str(people[0].id)
    unknown = await send_to("awards", {"card_nos": [cards[0], UNKNOWN[0], "123"]}, award)
    assert_refused(unknown, 404, "people.not_found")
    assert [one["field"] for one in unknown.json()["errors"]] == [
        "body.card_nos.1",
        "body.card_nos.2",
    ]
    for card in (UNKNOWN[0], "123"):
        refused = await send_to("deductions", {"card_no": card}, breach)
        assert_refused(refused, 404, "people.not_found")
    for noun, sample in (("awards", award), ("deductions", breach)):
        assert_refused(await send_to(noun, {}, sample), 422, "request.invalid")
        both: dict[str, Any] = {"person_ids": [str(people[0].id)], "card_nos": cards}
        if noun == "deductions":
            both = {"person_id": str(people[0].id), "card_no": cards[0]}
        assert_refused(await send_to(noun, both, sample), 422, "request.invalid")
    own = await send_to("deductions", {"card_no": await card_no(api, organizer)}, breach)
    assert_refused(own, 403, "deductions.own_points")


@pytest.mark.parametrize("noun", ["awards", "deductions"])
async def test_unknown_cards_of_awards_and_deductions_run_out(
    scratch: ScratchFactory, noun: str
) -> None:
    async with limited(scratch) as (api, runtime):
        org, organizer, (first, *_) = await make_case(runtime)
        await belong(runtime, org, first)
        sample = award_body(org, [first]) if noun == "awards" else deduction_body(org, first)
        named_by_id = sample.copy()
        sample.pop("person_ids" if noun == "awards" else "person_id")
        spent = []
        for card in (*UNKNOWN[: CARD_GUESS.burst], await card_no(api, first)):
            named = {"card_nos": [card]} if noun == "awards" else {"card_no": card}
            reply = await api.post(f"/api/v1/{noun}", headers=keyed(organizer), json=sample | named)
            spent.append(reply.status_code)
        by_id = await api.post(f"/api/v1/{noun}", headers=keyed(organizer), json=named_by_id)
    assert spent == [404] * CARD_GUESS.burst + [429]
    assert by_id.status_code == 201, by_id.text
