"""Freezing a card, its loss and its replacement; codes for later, and what they are for."""

import itertools
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import now
from app.models.cards import CardStatus, serial_of
from app.queries import cards as queries
from app.runtime import Runtime
from app.services import card_changes, people
from app.services.people import PersonNotFound
from tests.engines import as_owner
from tests.factories.activities import make_attended
from tests.factories.clock import travel
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_card_codes, make_counter
from tests.routers.test_audit import entries
from tests.routers.test_cards import card, charge, code, luhn_holds
from tests.routers.test_members import member_of, post
from tests.routers.test_stewards import ask as attend
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation             rule     nobody alice bob  counter rival sibling parent auditor admin outsider
freezeMyCard          person   401    200+  200  200     200   200     200    200     200   200
unfreezeMyCard        person   401    200+  409  409     409   409     409    409     409   409  409=cards.wrong_state
reportMyCardLost      person   401    200+  200  200     200   200     200    200     200   200
replaceMyCard         person   401    200+  200  200     200   200     200    200     200   200
listEndedCardNumbers  auditor  401    403   403  403     403   403     403    200     200   403
"""  # noqa: E501 - a table
HERS = {"ended_cards": "person_id = :alice"}
BESIDE_POINTS = {"ended_cards"}


async def _frozen(world: World) -> Ask:
    await change(world.api, world.alice, "freeze")
    return Ask()


async def _hers(world: World) -> Ask:
    person = await member_of(world.runtime, world.home)
    await change(world.api, person, "loss")
    return Ask({"person_id": str(person.id)}, query={"org_id": str(world.home.id)})


REQUESTS = {"unfreezeMyCard": _frozen, "listEndedCardNumbers": _hers}


async def change(api: httpx.AsyncClient, person: TestPerson, verb: str) -> httpx.Response:
    return await api.post(f"{API}/me/card/{verb}", headers=keyed(person))


async def _too_many(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person = await make_person(runtime)
    for _ in range(card_changes.MOST):
        assert (await change(api, person, "replacement")).status_code == 200
    async with runtime.database.read() as tx:
        first = (await queries.ended_since(tx, person.id, now() - timedelta(days=1)))[0]
    facts: dict[str, Any] = {"limit": 5, "used": 5, "opens_at": first + timedelta(days=30)}
    return Refused(person, "POST", "/me/card/replacement", facts, {})


async def _barred(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person = await make_person(runtime)
    await change(api, person, "freeze")
    return Refused(person, "GET", "/me/card/code", {"status": "frozen"})


REFUSED = {
    "cards.too_many_numbers": _too_many,
    "cards.suspended": _barred,
}


async def holder_of(runtime: Runtime, number: str) -> UUID | None:
    async with runtime.database.read() as tx:
        try:
            return await people.holder(tx, serial_of(number))
        except PersonNotFound:
            return None


async def ahead(
    api: httpx.AsyncClient, person: TestPerson, count: int = 5, **query: str
) -> list[dict[str, Any]]:
    asked = {"count": str(count)} | query
    reply = await api.get(f"{API}/me/card/codes", params=asked, headers=person.headers)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


# --- numbers ---


async def test_numbers_cannot_be_counted_up(runtime: Runtime) -> None:
    made = [await make_person(runtime) for _ in range(8)]
    async with runtime.database.read() as tx:
        cards = [await queries.find(tx, one.id) for one in made]
    serials = [one.serial for one in cards if one is not None]
    steps = {abs(after - before) for before, after in itertools.pairwise(serials)}
    assert min(steps) > 1000, "in sequence it would be 1"
    assert max(serials) > 1_000_000


async def test_a_number_that_is_taken_is_drawn_again(runtime: Runtime) -> None:
    """The draw is replaced by one that gives taken numbers first, in a transaction that fails."""
    first, second = await make_person(runtime), await make_person(runtime)
    async with runtime.database.read() as tx:
        used, other = [await queries.find(tx, one.id) for one in (first, second)]
    assert used is not None
    assert other is not None
    draws = "CREATE TEMP SEQUENCE draws"
    fake = f"""
    CREATE OR REPLACE FUNCTION drawn_card_serial() RETURNS integer LANGUAGE sql VOLATILE AS $f$
        SELECT (ARRAY[0, {used.serial}, {other.serial}, 77])[CAST(nextval('draws') AS int)]
    $f$"""
    check = "DO $d$ BEGIN RAISE EXCEPTION 'drawn %', new_card_serial(); END $d$"
    with pytest.raises(Exception, match="drawn 77"):
        await as_owner(runtime.settings, ";".join(("BEGIN", draws, fake, check)))


# --- frozen, lost, replaced ---


async def test_a_frozen_card_shows_and_pays_nothing_and_its_codes_have_ended(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 10)
    shown = [one["code"] for one in await ahead(api, person)]

    frozen = await change(api, person, "freeze")
    refused = await api.get(f"{API}/me/card/code", headers=person.headers)
    charged = await charge(api, counter, shown[0])
    thawed = await change(api, person, "unfreeze")

    assert (frozen.json()["status"], thawed.json()["status"]) == ("frozen", "active")
    assert_refused(refused, 409, "cards.suspended")
    assert_refused(charged, 422, "cards.code_invalid")
    for one in shown:
        with travel(now() + timedelta(seconds=60 * shown.index(one) + 1)):
            assert_refused(await charge(api, counter, one), 422, "cards.code_invalid")
    assert (await charge(api, counter, (await code(api, person))["code"])).status_code == 201
    assert await balance(runtime, person.id) == 9


async def test_a_lost_number_is_dead_at_once_and_a_new_one_comes_with_the_replacement(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 10)
    before = (await card(api, person))["card_no"]
    shown = (await code(api, person))["code"]
    assert await holder_of(runtime, before) == person.id, "control"

    lost = (await change(api, person, "loss")).json()
    assert (lost["status"], lost["card_no"]) == ("lost", before)
    assert await holder_of(runtime, before) is None
    assert_refused(await charge(api, counter, shown), 422, "cards.code_invalid")
    again = await change(api, person, "loss")
    assert_refused(again, 409, "cards.wrong_state")
    assert_refused(await change(api, person, "freeze"), 409, "cards.wrong_state")

    new = (await change(api, person, "replacement")).json()
    assert new["status"] == "active"
    assert new["card_no"] != before
    assert luhn_holds(new["card_no"])
    assert await holder_of(runtime, new["card_no"]) == person.id
    assert await holder_of(runtime, before) is None
    assert (await charge(api, counter, (await code(api, person))["code"])).status_code == 201


async def test_what_a_card_was_is_read_by_administrators_and_masked_for_auditors(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    admin, person = await make_administrator(runtime, org.id), await member_of(runtime, org)
    old = (await card(api, person))["card_no"]
    await change(api, person, "replacement")
    second = (await card(api, person))["card_no"]
    await change(api, person, "loss")

    path = f"{API}/people/{person.id}/card/numbers"
    here = {"org_id": str(org.id)}
    told = (await api.get(path, headers=admin.headers, params=here)).json()["items"]

    assert [(one["card_no"], one["reason"]) for one in told] == [
        (second, "lost"),
        (old, "replaced"),
    ]
    # Without the organisation it is the lowest that has the person and where the caller reads.
    assert (await api.get(path, headers=admin.headers)).json()["items"] == told
    elsewhere = await make_administrator(runtime, (await make_org(runtime)).id)
    for params, status, refusal in ((here, 403, "auth.forbidden"), ({}, 404, "people.not_found")):
        refused = await api.get(path, headers=elsewhere.headers, params=params)
        assert_refused(refused, status, refusal)
    asked = here | {"card_no": old}
    found = await api.get(f"{API}/people", params=asked, headers=admin.headers)
    assert_refused(found, 404, "people.not_found")
    seen = [one for one in await entries(api, admin, org) if one["subject"]["type"] == "card"]
    assert [one["verb"] for one in seen] == ["viewed", "viewed"]


async def test_a_suspended_card_stays_suspended_and_comes_back_as_it_was(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    admin, person = await make_administrator(runtime, org.id), await member_of(runtime, org)
    before = (await card(api, person))["card_no"]
    await post(api, admin, org, person, "card/suspension")
    assert_refused(await change(api, person, "freeze"), 409, "cards.wrong_state")
    assert_refused(await change(api, person, "replacement"), 409, "cards.wrong_state")

    lost = await change(api, person, "loss")
    assert lost.json()["status"] == "suspended"
    assert await holder_of(runtime, before) is None
    restored = await post(api, admin, org, person, "card/restoration")
    assert restored.json()["card_status"] == CardStatus.lost
    assert (await change(api, person, "replacement")).json()["status"] == "active"


# --- codes ---


async def test_five_codes_are_good_one_after_the_other_and_are_not_made_twice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 10)
    first = await code(api, person)
    made = await ahead(api, person)

    assert made[0]["code"] == first["code"], "the code on the screen is the first"
    assert [one["code"] for one in await ahead(api, person)] == [one["code"] for one in made]
    assert [one["code"] for one in await ahead(api, person, 2)] == [one["code"] for one in made[:2]]
    for one, following in itertools.pairwise(made):
        assert one["expires_at"] == following["valid_from"]
    spans = {
        datetime.fromisoformat(one["expires_at"]) - datetime.fromisoformat(one["valid_from"])
        for one in made
    }
    assert spans == {timedelta(seconds=60)}
    assert_refused(await charge(api, counter, made[2]["code"]), 422, "cards.code_invalid")
    with travel(datetime.fromisoformat(made[2]["valid_from"]) + timedelta(seconds=1)):
        assert_refused(await charge(api, counter, made[1]["code"]), 422, "cards.code_invalid")
        assert (await charge(api, counter, made[2]["code"])).status_code == 201
        assert_refused(await charge(api, counter, made[2]["code"]), 409, "cards.code_used")
    for wrong in ("0", "6", "x"):
        reply = await api.get(f"{API}/me/card/codes?count={wrong}", headers=person.headers)
        assert_refused(reply, 422, "request.invalid")


async def test_a_code_for_one_purpose_serves_no_other(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    steward, counter = await make_organizer(runtime, org.id), await make_counter(runtime)
    activity = await make_attended(runtime, person, org=org)
    await give_points(runtime, person.id, 10)
    to_pay, to_come = [
        (await ahead(api, person, 1, purpose=one))[0]["code"] for one in ("charge", "attendance")
    ]
    for_any = (await code(api, person))["code"]
    assert len({to_pay, to_come, for_any}) == 3

    assert_refused(await charge(api, counter, to_come), 422, "cards.code_invalid")
    assert_refused(
        await attend(api, steward, activity, card_code=to_pay), 422, "cards.code_invalid"
    )
    assert (await charge(api, counter, to_pay)).status_code == 201
    assert (await attend(api, steward, activity, card_code=to_come)).status_code == 200
    assert (await charge(api, counter, for_any)).status_code == 201


async def test_a_used_code_is_called_used_only_where_it_was_used(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    here, elsewhere = await make_counter(runtime, org=org), await make_counter(runtime, org=org)
    steward = await make_organizer(runtime, org.id)
    activity = await make_attended(runtime, person, org=org)
    await give_points(runtime, person.id, 10)
    [shown] = await make_card_codes(runtime, person, 1)
    assert (await charge(api, here, shown)).status_code == 201

    assert_refused(await charge(api, here, shown), 409, "cards.code_used")
    assert_refused(await preview(api, here, shown), 409, "cards.code_used")
    assert_refused(await charge(api, elsewhere, shown), 422, "cards.code_invalid")
    assert_refused(await preview(api, elsewhere, shown), 422, "cards.code_invalid")
    assert_refused(await attend(api, steward, activity, card_code=shown), 422, "cards.code_invalid")


async def preview(api: httpx.AsyncClient, counter: Counter, card_code: str) -> httpx.Response:
    return await api.post(
        f"{API}/merchant/charges/preview",
        headers=counter.staff.headers,
        json={"card_code": card_code, "points": 1},
    )
