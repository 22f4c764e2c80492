"""Exchanges: points of one programme become points of another, at the agreed rate, in one go."""

from datetime import timedelta
from itertools import product

import httpx
import pytest

from app.core.clock import now
from app.models.ledger import Purpose
from app.queries.cards import lock_status
from app.queries.ledger import reading
from app.runtime import Runtime
from app.services.exchanges import amounts, mean_end
from tests.engines import as_owner
from tests.factories.exchanges import (
    Agreement,
    exchange,
    give_in,
    make_exchange_agreement,
    make_proposed,
)
from tests.factories.funds import write_running_month
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import (
    assert_ledger_verifies,
    balance,
    give_points,
    make_debt,
)
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person
from tests.factories.refusals import Ask as Refused
from tests.routers.test_exchange_agreements import end
from tests.security.schema_world import FEW, MANY, Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation        rule    nobody alice  bob  counter rival sibling parent auditor admin outsider
exchangePoints   person  401    201+   201  201     201   201     201    201     201   201
listMyExchanges  person  401    200+   200  200     200   200     200    200     200   200
"""
HERS = {"exchanges": "created_by = :alice"}
BEYOND_THE_SCHEMA = {
    "body.org_id",  # of the two sides
    "body.points",  # 3.0 is no whole number to us
    *("exchanges.limit_reached", "exchanges.too_few", "exchange_agreements.not_found"),
}


async def _exchange(world: World) -> Ask:
    made = await make_exchange_agreement(world.runtime, world.home)
    await give_points(world.runtime, world.alice.id, 9, org=world.home.id)
    return Ask(body=_body(made))


async def _exchanged(world: World) -> Ask:
    await world.post("alice", "exchanges", (await _exchange(world)).body)
    return Ask()


REQUESTS = {"exchangePoints": _exchange, "listMyExchanges": _exchanged}


def _body(agreement: Agreement, points: int = 3) -> dict[str, object]:
    sides = {"agreement_id": str(agreement.id), "org_id": str(agreement.org.id)}
    return sides | {"points": points}


async def _closed(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    made, person = await make_exchange_agreement(runtime), await make_person(runtime)
    shown = (await api.get(f"{API}/exchange-agreements/{made.id}")).json()
    await end(api, await make_administrator(runtime, made.org.id), made.id)
    times = {"opens_at": shown["starts_at"], "closes_at": shown["ends_at"]}
    return Refused(person, "POST", "/exchanges", {"status": "ended"} | times, _body(made))


async def _over_the_limit(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    made, person = await rich(runtime)
    await exchange(api, person, made, made.org, 21)
    facts = {"limit": 20, "used": 14, "left": 6}
    return Refused(person, "POST", "/exchanges", facts, _body(made, 11))


async def _too_few(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    made, person = await rich(runtime)
    return Refused(person, "POST", "/exchanges", {"needed": 2}, _body(made, 1))


async def _owed(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    made, person = await rich(runtime)
    await make_debt(runtime, person.id, 4, org=made.org.id)
    return Refused(person, "POST", "/exchanges", {"owed": 4}, _body(made))


REFUSED = {
    "exchanges.closed": _closed,
    "exchanges.limit_reached": _over_the_limit,
    "exchanges.too_few": _too_few,
    "exchanges.owed": _owed,
}


async def known(setup: Setup) -> Known:
    made = [await make_exchange_agreement(setup.runtime, setup.org) for _ in range(FEW)]
    for one in made:
        await give_points(setup.runtime, setup.caller.id, MANY, org=one.org.id)
    return {"agreement_id": [str(one.id) for one in made]}


async def completion(setup: Setup) -> Completion:
    return lambda body, known: body.update(points=3, org_id=str(setup.org.id))


async def rich(runtime: Runtime) -> tuple[Agreement, TestPerson]:
    """Return an agreement, 3 points for 2, and somebody with 100 points of the first side."""
    agreement, person = await make_exchange_agreement(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 100, org=agreement.org.id)
    return agreement, person


async def holds(runtime: Runtime, agreement: Agreement, person: TestPerson) -> list[int]:
    """Return a person's points of both units, and the balances of both clearing accounts."""
    unit = agreement.other.unit_id
    return [
        await balance(runtime, person.id),
        await balance(runtime, person.id, unit=unit),
        await balance(runtime, agreement.org.id, Purpose.clearing),
        await balance(runtime, agreement.other.org.id, Purpose.clearing, unit),
    ]


@pytest.mark.parametrize(
    ("points", "rate", "to_rate", "expected"),
    [
        (9, 3, 2, (9, 6)),
        (10, 3, 2, (9, 6)),
        (1, 3, 2, (0, 0)),
        (5, 1, 7, (5, 35)),
        (8, 7, 1, (7, 1)),
    ],
)
def test_points_are_rounded_down_and_the_rest_is_kept(
    points: int, rate: int, to_rate: int, expected: tuple[int, int]
) -> None:
    assert amounts(points, rate, to_rate) == expected


def test_no_way_there_and_back_makes_points() -> None:
    for points, rate, to_rate in product(range(1, 60), range(1, 9), range(1, 9)):
        taken, received = amounts(points, rate, to_rate)
        back_taken, back = amounts(received, to_rate, rate)
        assert taken <= points
        assert received * rate <= taken * to_rate, "never worth more than what was given"
        assert back <= taken
        assert back_taken <= received


async def test_points_go_over_and_come_back(api: httpx.AsyncClient, runtime: Runtime) -> None:
    agreement, person = await rich(runtime)
    key, body = keyed(person), _body(agreement, 10)

    there, again = [await api.post(f"{API}/exchanges", headers=key, json=body) for _ in range(2)]
    after = await holds(runtime, agreement, person)
    back = await exchange(api, person, agreement, agreement.other.org, 2)

    assert there.status_code == 201, there.text
    assert again.json() == there.json(), "once, whoever asks again with the same key"
    made = there.json()
    assert (made["points"], made["received"]) == (9, 6)
    assert (made["available"], made["to_available"]) == (91, 6)
    assert after == [91, 6, 9, -6]
    assert (back.json()["points"], back.json()["received"]) == (2, 3)
    assert await holds(runtime, agreement, person) == [94, 4, 6, -4]
    listed = await walk(api, f"{API}/me/exchanges", person.headers)
    assert [one["points"] for one in listed] == [2, 9]
    await assert_ledger_verifies(runtime)
    entries = await walk(api, f"{API}/me/points/entries", person.headers)
    assert [(one["kind"], one["direction"], one["title"]) for one in entries][:2] == [
        ("exchange", "in", agreement.other.org.name),
        ("exchange", "out", agreement.other.org.name),
    ]
    totals = (await api.get(f"{API}/me/points", headers=person.headers)).json()
    assert (totals["earned_total"], totals["spent_total"]) == (103, 9)


async def test_the_limit_is_of_each_side(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """20 points of the other side can go out; what comes back makes room again."""
    agreement, person = await rich(runtime)

    assert (await exchange(api, person, agreement, agreement.org, 30)).status_code == 201
    over = await exchange(api, person, agreement, agreement.org, 2)
    await exchange(api, person, agreement, agreement.other.org, 4)
    again = await exchange(api, person, agreement, agreement.org, 6)

    assert_refused(over, 409, "exchanges.limit_reached")
    assert over.json()["facts"] == {"limit": 20, "used": 20, "left": 0}
    assert again.status_code == 201
    assert await holds(runtime, agreement, person) == [70, 20, 30, -20]
    await give_in(runtime, person.id, 400, agreement.other)
    much = await exchange(api, person, agreement, agreement.other.org, 300)
    assert_refused(much, 409, "exchanges.limit_reached")
    assert much.json()["facts"] == {"limit": 300, "used": -30, "left": 330}


async def test_what_is_not_agreed_any_more_moves_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    agreement, person = await rich(runtime)
    org, other = agreement.org, agreement.other.org
    soon = (now() + timedelta(days=1)).isoformat()
    to_come = await make_exchange_agreement(runtime, org, starts_at=soon)
    proposed = Agreement(await make_proposed(runtime, org, other), org, agreement.other)
    over = await make_exchange_agreement(runtime, org)
    times = "starts_at = now() - interval '2 days', ends_at = now() - interval '1 hour'"
    past = f"UPDATE exchange_agreements SET {times} WHERE id = '{over.id}'"  # noqa: S608
    await as_owner(runtime.settings, past)
    ended = await make_exchange_agreement(runtime, org)
    await end(api, await make_administrator(runtime, ended.other.org.id), ended.id)

    for one in (to_come, proposed, over, ended):
        refused = await exchange(api, person, one, org, 9)
        assert_refused(refused, 409, "exchanges.closed")
    stranger = await make_org(runtime)
    assert_refused(await exchange(api, person, agreement, stranger, 9), 422, "request.invalid")
    assert await balance(runtime, person.id) == 100
    assert await balance(runtime, org.id, Purpose.clearing) == 0


async def test_a_debt_is_paid_first(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Who owes points there gets them less the debt; who owes points here gives none."""
    agreement, person = await rich(runtime)
    await give_in(runtime, person.id, 10, agreement.other)
    await exchange(api, person, agreement, agreement.org, 9)
    before = await holds(runtime, agreement, person)
    await make_debt(runtime, person.id, 2, org=agreement.org.id)

    refused = await exchange(api, person, agreement, agreement.org, 3)
    got = await exchange(api, person, agreement, agreement.other.org, 2)

    assert_refused(refused, 409, "exchanges.owed")
    assert before == [91, 16, 9, -6]
    assert (got.json()["received"], got.json()["available"], got.json()["to_available"]) == (
        *(3, 14),
        92,  # 3 less the debt of 2
    )
    assert await balance(runtime, person.id, Purpose.debt) == 0
    await assert_ledger_verifies(runtime)


async def test_points_live_no_longer_for_having_been_moved(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    agreement, person = await make_exchange_agreement(runtime), await make_person(runtime)
    began = now()
    for days in (10, 40):
        ends = began + timedelta(days=days)
        await give_points(runtime, person.id, 3, org=agreement.org.id, expires_at=ends)

    got = (await exchange(api, person, agreement, agreement.org, 6)).json()

    async with runtime.database.read() as tx:
        ends_at = await reading.expiring(tx, person.id, agreement.other.unit_id)
    [(end_of_lot, points)] = ends_at.items()
    assert (points, end_of_lot.isoformat()[:19]) == (4, got["expires_at"][:19])
    assert abs(end_of_lot - (began + timedelta(days=25))) < timedelta(minutes=5)
    with pytest.raises(AssertionError):
        mean_end([], 1, began)


async def test_a_suspended_card_exchanges_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    agreement, person = await rich(runtime)
    suspended = f"UPDATE cards SET status = 'suspended' WHERE person_id = '{person.id}'"  # noqa: S608
    await as_owner(runtime.settings, suspended)
    async with runtime.database.transaction() as tx:
        assert await lock_status(tx, person.id) == "suspended"

    refused = await exchange(api, person, agreement, agreement.org, 9)

    assert_refused(refused, 409, "cards.suspended")


async def test_the_public_figures_of_both_sides_still_add_up(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """What was given is spent for who issued it; what was got is issued by the other side."""
    agreement, person = await rich(runtime)
    await exchange(api, person, agreement, agreement.org, 9)
    await write_running_month(runtime)

    ours = (await api.get(f"{API}/orgs/{agreement.org.id}/fund")).json()
    theirs = (await api.get(f"{API}/orgs/{agreement.other.org.id}/fund")).json()

    assert (ours["issued"], ours["available"], ours["spent"]) == (100, 91, 9)
    assert (theirs["issued"], theirs["available"], theirs["spent"]) == (6, 6, 0)


async def test_nobody_gives_more_than_there_is(api: httpx.AsyncClient, runtime: Runtime) -> None:
    agreement, person = await make_exchange_agreement(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 8, org=agreement.org.id)
    short = await exchange(api, person, agreement, agreement.org, 9)

    assert_refused(short, 409, "points.insufficient")
    assert short.json()["facts"] == {"needed": 9, "available": 8}
    for points in (0, -3, 1.5, "3", None, True, 100_001):
        body = _body(agreement) | {"points": points}
        reply = await api.post(f"{API}/exchanges", headers=keyed(person), json=body)
        assert_refused(reply, 422, "request.invalid")
    unknown = _body(agreement) | {"agreement_id": str(agreement.org.id)}
    reply = await api.post(f"{API}/exchanges", headers=keyed(person), json=unknown)
    assert_refused(reply, 404, "exchange_agreements.not_found")
    unkeyed = await api.post(f"{API}/exchanges", headers=person.headers, json=_body(agreement))
    assert unkeyed.status_code in (400, 422)
    assert await holds(runtime, agreement, person) == [8, 0, 0, 0]
