"""Codes on screens and cards: none is guessed, and none is good for anything else."""

import random
import secrets
import string
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.core.rotating_codes import Action, CodeExpired, CodeInvalid, RotatingCodes
from app.models.activities import Activity
from app.runtime import Runtime
from app.schemas.redemptions import ChargeOut
from app.services.redemptions import charges
from app.services.redemptions.card_codes import CardCodeInvalid
from app.services.redemptions.charges import ChargeCommand
from tests.factories.activities import current_code, make_activity, make_attended
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import balance, give_points
from tests.factories.people import TestPerson, make_person
from tests.factories.rewards import Counter as Till
from tests.factories.rewards import make_card_codes, make_counter, make_reward

API = "/api/v1"
ALPHABET = string.ascii_letters + string.digits + "-_"
A_FEW, A_MILLION = 20_000, 1_000_000
NUMBERS = [A_FEW, pytest.param(A_MILLION, marks=pytest.mark.security)]
OVER_HTTP = [100, pytest.param(500, marks=pytest.mark.security)]
# As many as a large crowd shows at a time, and as many as one list of commands holds.
LIVE_CODES, AT_ONCE = 2_000, 2_000
_SHOW_CODES = text("""
INSERT INTO card_codes (code, person_id, expires_at)
SELECT code, :person, :expires_at FROM unnest(CAST(:codes AS text[])) AS code
""")


def mutated(rng: random.Random, right: str, alphabet: str) -> str:
    """Change one to three characters of a right code."""
    letters = list(right)
    for place in rng.sample(range(len(right)), rng.randint(1, 3)):
        letters[place] = rng.choice(alphabet.replace(letters[place], ""))
    return "".join(letters)


def guesses(rng: random.Random, right: list[str], alphabet: str, number: int) -> Iterator[str]:
    """Yield wrong codes: a third invented, a third right but for the end, a third mutated."""
    known = set(right)
    while number:
        one = rng.choice(right)
        invented = "".join(rng.choices(alphabet, k=len(one)))
        guess = (
            invented,
            one[: len(one) // 2] + invented[len(one) // 2 :],
            mutated(rng, one, alphabet),
        )[number % 3]
        if guess not in known:
            number -= 1
            yield guess


def accepts(codes: RotatingCodes, code: str, at: float) -> bool:
    try:
        codes.check(code, Action.check_in, at)
    except CodeInvalid:
        return False
    except CodeExpired:
        return True  # a forged one would have to be signed for this
    return True


@pytest.mark.parametrize("number", NUMBERS)
def test_no_check_in_code_is_guessed(number: int) -> None:
    codes, at = RotatingCodes([secrets.token_bytes(32)]), now().timestamp()
    right = [codes.make(Action.check_in, serial, at).text for serial in range(1, 101)]
    assert all(accepts(codes, code, at) for code in right)

    wrong = guesses(random.Random(), right, ALPHABET, number)

    assert [code for code in wrong if accepts(codes, code, at)] == []


@pytest.mark.parametrize("number", NUMBERS)
async def test_no_card_code_is_guessed(runtime: Runtime, number: int) -> None:
    """Against the database, with a crowd at the counter, in lists of commands."""
    person, till = await _customer(runtime), await make_counter(runtime)
    live = await _show_codes(runtime, person, LIVE_CODES)
    wrong = guesses(random.Random(), live, string.digits, number)
    outcomes: Counter[type] = Counter()
    for _ in range(number // AT_ONCE):
        outcomes += await _charge_all(runtime, till, [next(wrong) for _ in range(AT_ONCE)])

    assert outcomes == {CardCodeInvalid: number}
    assert await balance(runtime, person.id) == 100
    assert await _charge_all(runtime, till, live[:1]) == {ChargeOut: 1}, "the control"


@pytest.mark.parametrize("number", OVER_HTTP)
async def test_no_code_is_guessed_over_http(
    api: httpx.AsyncClient, runtime: Runtime, number: int
) -> None:
    person, till = await _customer(runtime), await make_counter(runtime)
    activity = await make_attended(runtime, person)
    live = await _show_codes(runtime, person, 10)
    screen = [current_code(runtime, activity)]
    for code in guesses(random.Random(), screen, ALPHABET, number):
        assert_refused(await scan(api, person, code), 422, "checkins.code_invalid")
    for code in guesses(random.Random(), live, string.digits, number):
        assert_refused(await charge(api, till, code), 422, "cards.code_invalid")

    assert await balance(runtime, person.id) == 100
    assert (await scan(api, person, screen[0])).status_code == 201, "the control"
    assert (await charge(api, till, live[0])).status_code == 201, "the control"


async def test_a_check_in_code_counts_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    code = current_code(runtime, await make_attended(runtime, person))
    first = await scan(api, person, code)

    again = [await scan(api, person, code) for _ in range(3)]

    assert first.status_code == 201
    assert [(reply.status_code, reply.json()) for reply in again] == [(200, first.json())] * 3
    assert await balance(runtime, person.id) == first.json()["award"]["points"]


async def test_a_code_of_another_activity_is_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await make_attended(runtime, person)
    elsewhere = current_code(runtime, await make_activity(runtime))

    assert_refused(await scan(api, person, elsewhere), 403, "checkins.not_signed_up")


async def test_a_code_of_another_purpose_is_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, till = await _customer(runtime), await make_counter(runtime)
    activity = await make_attended(runtime, person)
    reward = await make_reward(runtime, till)
    reserved = await api.post(
        f"{API}/redemptions",
        headers=keyed(person),
        json={"reward_id": str(reward.id), "quantity": 1},
    )
    check_in, pickup = current_code(runtime, activity), reserved.json()["pickup_code"]
    check_out = runtime.codes.make(Action.check_out, activity.serial, now().timestamp()).text
    card = (await make_card_codes(runtime, person, 1))[0]

    assert_refused(await scan(api, person, check_out), 422, "checkins.checkout_code")
    for code in (card, pickup):
        assert_refused(await scan(api, person, code), 422, "checkins.code_invalid")
    for code in (check_in, pickup, check_in[:18]):
        assert_refused(await charge(api, till, code), 422, "cards.code_invalid")
    for code in (check_in, card):
        assert_refused(await collect(api, till, code), 404, "redemptions.not_found")
    assert (await scan(api, person, check_in)).status_code == 201, "the control"
    assert (await charge(api, till, card)).status_code == 201, "the control"
    assert (await collect(api, till, pickup)).status_code == 200, "the control"


@pytest.mark.parametrize(
    ("age", "status", "code"),
    [
        (timedelta(seconds=-30), 422, "checkins.code_invalid"),
        (timedelta(seconds=60), 422, "checkins.code_expired"),
        (timedelta(days=9), 422, "checkins.code_expired"),
    ],
)
async def test_a_code_of_another_time_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, age: timedelta, status: int, code: str
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    shown = current_code(runtime, activity, age_seconds=age.total_seconds())

    assert_refused(await scan(api, person, shown), status, code)


async def test_a_code_under_another_key_is_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity: Activity = await make_attended(runtime, person)
    for secret in (b"another secret of 32 bytes or more", b"", runtime.settings.secret[:-1]):
        other = RotatingCodes([secret])
        forged = other.make(Action.check_in, activity.serial, now().timestamp()).text
        assert_refused(await scan(api, person, forged), 422, "checkins.code_invalid")


async def test_a_card_code_pays_once_wherever_it_is_shown(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await _customer(runtime)
    till, other = await make_counter(runtime), await make_counter(runtime)
    code = (await make_card_codes(runtime, person, 1))[0]
    assert (await charge(api, till, code)).status_code == 201

    assert_refused(await charge(api, till, code), 409, "cards.code_used")
    # Elsewhere nobody is told that the code was one.
    assert_refused(await charge(api, other, code), 422, "cards.code_invalid")
    assert await balance(runtime, person.id) == 99


async def scan(api: httpx.AsyncClient, person: TestPerson, code: str) -> httpx.Response:
    return await api.post(f"{API}/checkins", headers=person.headers, json={"code": code})


async def charge(api: httpx.AsyncClient, till: Till, code: str) -> httpx.Response:
    body = {"card_code": code, "points": 1, "note": ""}
    return await api.post(f"{API}/merchant/charges", headers=keyed(till.staff), json=body)


async def collect(api: httpx.AsyncClient, till: Till, code: str) -> httpx.Response:
    path, body = f"{API}/merchant/redemptions/collect", {"pickup_code": code}
    return await api.post(path, headers=keyed(till.staff), json=body)


async def _customer(runtime: Runtime) -> TestPerson:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    return person


async def _show_codes(runtime: Runtime, person: TestPerson, number: int) -> list[str]:
    """Make codes that live until the end of the test, one more than any phone shows."""
    codes = [f"{secrets.randbelow(10**18):018}" for _ in range(number)]
    parameters = {"codes": codes, "person": person.id, "expires_at": now() + timedelta(hours=1)}
    async with runtime.database.transaction() as tx:
        await tx.execute(_SHOW_CODES, parameters)
    return codes


async def _charge_all(runtime: Runtime, till: Till, codes: list[str]) -> Counter[Any]:
    commands = [ChargeCommand(till.staff.id, code, 1, "") for code in codes]
    async with runtime.database.transaction() as tx:
        return Counter(map(type, await charges.charge(tx, commands, now())))
