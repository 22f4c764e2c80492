"""Charges that their payer confirms, refuses or lets pass, and what a counter sees of it."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import true

from app.core.clock import local_date, midnight, now
from app.jobs import expiry
from app.models.cards import CardStatus
from app.models.ledger import Purpose
from app.models.merchants import MerchantState
from app.queries import charges as queries
from app.runtime import Runtime
from app.services.charges import DISPUTED_FOR
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_row_locks
from tests.concurrency.meeting import meet_after
from tests.engines import as_owner
from tests.factories.charges import (
    THRESHOLD,
    charge_at,
    let_pass,
    make_careful_counter,
    make_old,
    make_waiting,
)
from tests.factories.clock import A_DAY
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import in_words, inbox
from tests.factories.ledger import assert_ledger_verifies, balance, give_points, verified
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_card_codes, make_counter, set_card_status
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation       rule       nobody alice bob  counter rival sibling parent auditor admin outsider
listMyCharges   person     401    200+  200  200     200   200     200    200     200   200
confirmCharge   person     401    200+  404  404     404   404     404    404     404   404       404=charges.not_found
refuseCharge    person     401    200+  404  404     404   404     404    404     404   404       404=charges.not_found
disputeCharge   person     401    200+  404  404     404   404     404    404     404   404       404=charges.not_found
listDisputes    reader     401    403   403  403     403   403     200+   200+    200+  403
decideDispute   organizer  401    403   403  403     403   404     200+   403     200+  404       404=charges.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {"charges.not_found", "charges.not_disputable"}
HAD, PRICE = 50, THRESHOLD + 5


async def _charged_at_home(world: World) -> str:
    reply = await charge_at(world.api, world.runtime, world.shop, world.alice, 1)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


async def _my_charges(world: World) -> Ask:
    await _charged_at_home(world)
    return Ask()


async def _waiting(world: World) -> Ask:
    _, made = await make_waiting(world.api, world.runtime, world.alice)
    return Ask({"charge_id": made["id"]})


async def _disputable(world: World) -> Ask:
    return Ask({"charge_id": await _charged_at_home(world)}, {"reason": "没买过"})


async def _disputed(world: World) -> Ask:
    ask = await _disputable(world)
    made = await dispute(world.api, world.alice, ask.ids["charge_id"])
    assert made.status_code == 200, made.text
    return Ask(ask.ids, {"upheld": True, "reason": "无小票"})


async def _disputes(world: World) -> Ask:
    await _disputed(world)
    return Ask(query={"org_id": str(world.home.id)})


REQUESTS = {
    "listMyCharges": _my_charges,
    "confirmCharge": _waiting,
    "refuseCharge": _waiting,
    "disputeCharge": _disputable,
    "listDisputes": _disputes,
    "decideDispute": _disputed,
}


async def make_payer(runtime: Runtime, points: int = HAD) -> TestPerson:
    person = await make_person(runtime)
    await give_points(runtime, person.id, points)
    return person


async def answer(
    api: httpx.AsyncClient, person: TestPerson, charge: str, word: str, key: str | None = None
) -> httpx.Response:
    """Confirm or refuse a charge."""
    path = f"{API}/me/charges/{charge}/{word}"
    return await api.post(path, headers=keyed(person, key), json={})


async def confirm(api: httpx.AsyncClient, person: TestPerson, charge: str) -> httpx.Response:
    return await answer(api, person, charge, "confirmation")


async def dispute(api: httpx.AsyncClient, person: TestPerson, charge: str) -> httpx.Response:
    path, body = f"{API}/me/charges/{charge}/dispute", {"reason": "没买过"}
    return await api.post(path, headers=keyed(person), json=body)


# --- refusals with facts ---


async def _confirm_twice(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person = await make_payer(runtime)
    _, made = await make_waiting(api, runtime, person)
    assert (await confirm(api, person, made["id"])).status_code == 200
    facts = {"status": "charged", "expires_at": datetime.fromisoformat(made["expires_at"])}
    return Refused(person, "POST", f"/me/charges/{made['id']}/confirmation", facts, {})


async def _refund_what_waits(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter, made = await make_waiting(api, runtime, await make_payer(runtime))
    path = f"/merchant/charges/{made['id']}/refund"
    return Refused(counter.staff, "POST", path, {"status": "waiting"}, {"reason": "x"})


async def _over_the_cap(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_careful_counter(runtime, person_day=10)
    person = await make_payer(runtime)
    assert (await charge_at(api, runtime, counter, person, 8)).status_code == 201
    [code] = await make_card_codes(runtime, person, 1)
    tomorrow = midnight(local_date(now()) + A_DAY)
    facts = {"of": "person", "limit": 10, "used": 8, "opens_at": tomorrow}
    body = {"card_code": code, "points": 3, "note": ""}
    return Refused(counter.staff, "POST", "/merchant/charges", facts, body)


async def _paid(api: httpx.AsyncClient, runtime: Runtime) -> tuple[TestPerson, Counter, str]:
    person, counter = await make_payer(runtime), await make_counter(runtime)
    made = await charge_at(api, runtime, counter, person, 3)
    return person, counter, made.json()["id"]


async def _dispute_too_late(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person, _, charge = await _paid(api, runtime)
    await make_old(runtime, charge, 31)
    async with runtime.database.read() as tx:
        [(row, _)] = await queries.named(tx, [UUID(charge)])
    facts = {"closes_at": row.created_at + DISPUTED_FOR}
    return Refused(person, "POST", f"/me/charges/{charge}/dispute", facts, {"reason": "x"})


async def _dispute_again(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person, _, charge = await _paid(api, runtime)
    assert (await dispute(api, person, charge)).status_code == 200
    path = f"/me/charges/{charge}/dispute"
    return Refused(person, "POST", path, {"status": "open"}, {"reason": "x"})


async def _dispute_what_waits(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person = await make_payer(runtime)
    _, made = await make_waiting(api, runtime, person)
    path = f"/me/charges/{made['id']}/dispute"
    return Refused(person, "POST", path, {"status": "waiting"}, {"reason": "x"})


async def _decide_nothing(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    _, counter, charge = await _paid(api, runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    body = {"upheld": True, "reason": "x"}
    path = f"/charges/{charge}/dispute/decision"
    return Refused(organizer, "POST", path, {"status": None}, body)


REFUSED = {
    "charges.not_waiting": _confirm_twice,
    "charges.not_paid": _refund_what_waits,
    "charges.cap_reached": _over_the_cap,
    "charges.dispute_too_late": _dispute_too_late,
    "charges.disputed_before": _dispute_again,
    "charges.not_disputable": _dispute_what_waits,
    "charges.not_disputed": _decide_nothing,
}


async def known(setup: Setup) -> Known:
    """What the caller may dispute, and disputes of others that it may decide."""
    mine = [setup.caller] * FEW
    charges = []
    for person in [*mine, *setup.others]:
        made = await charge_at(setup.api, setup.runtime, setup.counter, person, 5)
        charges.append(made.json()["id"])
    for person, charge in zip(setup.others, charges[FEW:], strict=True):
        assert (await dispute(setup.api, person, charge)).status_code == 200
    return {"charge_id": charges}


# --- confirmed, refused, released ---


async def mine(api: httpx.AsyncClient, person: TestPerson, **query: str) -> list[dict[str, Any]]:
    reply = await api.get(f"{API}/me/charges", headers=person.headers, params=query)
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def at_counter(api: httpx.AsyncClient, counter: Counter, charge: str) -> dict[str, Any]:
    reply = await api.get(f"{API}/merchant/charges/{charge}", headers=counter.staff.headers)
    found: dict[str, Any] = reply.json()
    return found


async def charged_today(api: httpx.AsyncClient, counter: Counter) -> int:
    reply = await api.get(f"{API}/merchant/today", headers=counter.staff.headers)
    return int(reply.json()["charged"])


async def points_of(runtime: Runtime, person: TestPerson, counter: Counter) -> tuple[int, ...]:
    """Return what is available, what is held, and the merchant's takings."""
    return (
        await balance(runtime, person.id),
        await balance(runtime, person.id, Purpose.held),
        await balance(runtime, counter.merchant.id, Purpose.takings),
    )


async def test_a_large_charge_waits_for_its_payer_and_is_paid(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The phone sees merchant and amount and polls by ETag; refunds go to the lots of the hold."""
    person = await make_payer(runtime, 8)
    await give_points(runtime, person.id, HAD - 8)
    counter, made = await make_waiting(api, runtime, person, PRICE)
    assert (made["balance_after"], made["points_refunded"]) == (HAD - PRICE, 0)
    assert await points_of(runtime, person, counter) == (HAD - PRICE, PRICE, 0)
    assert await charged_today(api, counter) == 0
    [shown] = await mine(api, person, waiting="true")
    assert shown["merchant_name"] == counter.merchant.name
    assert (shown["points"], shown["expires_at"]) == (PRICE, made["expires_at"])
    poll = await api.get(f"{API}/me/charges?waiting=true", headers=person.headers)
    known_tag = person.headers | {"If-None-Match": poll.headers["etag"]}
    assert (await api.get(f"{API}/me/charges?waiting=true", headers=known_tag)).status_code == 304
    assert (await at_counter(api, counter, made["id"]))["status"] == "waiting"
    await assert_ledger_verifies(runtime)

    key = str(uuid4())
    done = await answer(api, person, made["id"], "confirmation", key)
    again = await answer(api, person, made["id"], "confirmation", key)
    assert (done.status_code, again.content) == (200, done.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert done.json()["status"] == "charged"
    assert await mine(api, person, waiting="true") == []
    assert (await at_counter(api, counter, made["id"]))["status"] == "charged"
    assert await points_of(runtime, person, counter) == (HAD - PRICE, 0, PRICE)
    assert await charged_today(api, counter) == PRICE
    told = [one["kind"] for one in await inbox(api, runtime, person)]
    assert {"charge_waiting", "points_charged"} <= set(told)

    path = f"{API}/merchant/charges/{made['id']}/refund"
    part, rest = {"reason": "少一份", "points": 3}, {"reason": "全退"}
    for body, left in ((part, PRICE - 3), (rest, 0)):
        reply = await api.post(path, headers=keyed(counter.staff), json=body)
        assert reply.status_code == 200, reply.text
        assert await points_of(runtime, person, counter) == (HAD - left, 0, left)
        await assert_ledger_verifies(runtime)
    again = await api.post(path, headers=keyed(counter.staff), json=part)
    assert_refused(again, 409, "charges.already_refunded")
    assert (await mine(api, person))[0]["points_refunded"] == PRICE


async def test_up_to_the_threshold_a_charge_is_paid_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_payer(runtime), await make_careful_counter(runtime)
    made = (await charge_at(api, runtime, counter, person, THRESHOLD)).json()
    assert (made["status"], made["expires_at"]) == ("charged", None)
    assert await points_of(runtime, person, counter) == (HAD - THRESHOLD, 0, THRESHOLD)


async def test_what_is_refused_goes_back(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_payer(runtime)
    counter, made = await make_waiting(api, runtime, person, PRICE)
    reply = await answer(api, person, made["id"], "refusal")
    assert (reply.status_code, reply.json()["status"]) == (200, "refused")
    assert await points_of(runtime, person, counter) == (HAD, 0, 0)
    assert_refused(await confirm(api, person, made["id"]), 409, "charges.not_waiting")
    assert (await at_counter(api, counter, made["id"]))["status"] == "refused"
    await assert_ledger_verifies(runtime)


async def test_what_nobody_confirms_ends_by_itself(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """At its end the points can be spent, whether or not the job has run; then it is written."""
    person = await make_payer(runtime, PRICE)
    counter, made = await make_waiting(api, runtime, person, PRICE)
    await let_pass(runtime, made["id"])
    assert (await at_counter(api, counter, made["id"]))["status"] == "expired"
    assert await mine(api, person, waiting="true") == []
    assert_refused(await confirm(api, person, made["id"]), 409, "charges.not_waiting")
    other = await make_counter(runtime)
    assert (await charge_at(api, runtime, other, person, PRICE)).status_code == 201
    await assert_ledger_verifies(runtime)
    await expiry.expire_charges(runtime)
    assert await points_of(runtime, person, counter) == (0, 0, 0)
    [_, shown] = await mine(api, person)
    assert shown["status"] == "expired"
    assert shown["settled_at"] is not None
    await expiry.expire_charges(runtime)
    kinds = [one["kind"] for one in await inbox(api, runtime, person)]
    assert kinds.count("charge_expired") == 1
    await assert_ledger_verifies(runtime)


async def test_the_job_gives_back_what_nobody_asked_for(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_payer(runtime)
    counter, made = await make_waiting(api, runtime, person, PRICE)
    await expiry.expire_charges(runtime)
    assert await points_of(runtime, person, counter) == (HAD - PRICE, PRICE, 0), "not yet"
    await let_pass(runtime, made["id"])
    await expiry.expire_charges(runtime)
    assert await points_of(runtime, person, counter) == (HAD, 0, 0)
    [told] = [one for one in await inbox(api, runtime, person) if one["kind"] == "charge_expired"]
    assert told["text"] == f"测试商户收取的 {PRICE} 积分未在一分钟内确认，已退回。"


async def test_a_suspended_card_or_merchant_is_not_confirmed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_payer(runtime)
    counter, made = await make_waiting(api, runtime, person, PRICE)
    async with runtime.database.transaction() as tx:
        await set_card_status(tx, person.id, CardStatus.suspended)
    assert_refused(await confirm(api, person, made["id"]), 409, "cards.suspended")
    async with runtime.database.transaction() as tx:
        await set_card_status(tx, person.id, CardStatus.active)
    suspend = "UPDATE merchants SET state = '{}' WHERE id = '{}'"
    await as_owner(runtime.settings, suspend.format(MerchantState.suspended, counter.merchant.id))
    assert_refused(await confirm(api, person, made["id"]), 409, "merchants.suspended")
    assert (await answer(api, person, made["id"], "refusal")).status_code == 200
    assert await points_of(runtime, person, counter) == (HAD, 0, 0)


async def test_a_confirmation_that_was_cut_off_is_done_by_its_repeat(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, key = await make_payer(runtime), str(uuid4())
    counter, made = await make_waiting(api, runtime, person, PRICE)

    async def fail(*_: object) -> bool:
        raise RuntimeError("for the test")

    with monkeypatch.context() as broken:
        broken.setattr(queries, "settle", fail)
        first = await answer(api, person, made["id"], "confirmation", key)
    assert_refused(first, 500, "service.internal")
    assert await points_of(runtime, person, counter) == (HAD - PRICE, PRICE, 0)
    assert (await answer(api, person, made["id"], "confirmation", key)).status_code == 200
    assert await points_of(runtime, person, counter) == (HAD - PRICE, 0, PRICE)


async def test_who_is_asked_to_confirm_is_told_in_their_language(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_payer(runtime)
    _, made = await make_waiting(api, runtime, person, PRICE)
    zh, en = in_words(made["expires_at"])
    [told] = [one for one in await inbox(api, runtime, person) if one["kind"] == "charge_waiting"]
    assert told["text"] == f"测试商户收取 {PRICE} 积分，请在 {zh} 前确认；未确认则自动退回。"
    [told] = [
        one for one in await inbox(api, runtime, person, "en") if one["kind"] == "charge_waiting"
    ]
    assert en in told["text"]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("expires_at = expires_at + INTERVAL '1 hour'", "holds: each charge"),
        ("status = 'expired', settled_at = now()", "each was settled"),
        ("status = 'charged', settled_at = now()", "charges: each that its payer"),
    ],
)
async def test_verify_compares_waiting_charges_with_holds(
    api: httpx.AsyncClient, runtime: Runtime, change: str, check: str
) -> None:
    """What a superuser changes is told; put back, the ledger verifies."""
    _, made = await make_waiting(api, runtime, await make_payer(runtime), PRICE)
    where = f"WHERE id = '{made['id']}'"
    await as_owner(runtime.settings, f"UPDATE charges SET {change} {where}")  # noqa: S608
    differences = [one for one in (await verified(runtime)).differences if check in one.check]
    back = f"status = 'waiting', settled_at = NULL, expires_at = '{made['expires_at']}'"
    await as_owner(runtime.settings, f"UPDATE charges SET {back} {where}")  # noqa: S608
    assert [one.subject for one in differences] == [f"charge {made['id']}"]
    await assert_ledger_verifies(runtime)


# --- at once ---


async def both_answers(api: httpx.AsyncClient, runtime: Runtime) -> tuple[list[str], int]:
    """Confirm and refuse a charge at once; return the outcomes and what left the payer."""
    person = await make_payer(runtime)
    _, made = await make_waiting(api, runtime, person, PRICE)
    words = ("confirmation", "refusal") * 3
    replies = await rushes.at_once(answer(api, person, made["id"], word) for word in words)
    outcomes = sorted(str(one.json().get("code", "done")) for one in replies)
    assert await balance(runtime, person.id, Purpose.held) == 0
    return outcomes, HAD - await balance(runtime, person.id)


async def test_one_answer_settles_a_charge(api: httpx.AsyncClient, runtime: Runtime) -> None:
    outcomes, spent = await both_answers(api, runtime)
    assert outcomes == ["charges.not_waiting"] * 5 + ["done"]
    assert spent in (0, PRICE)
    await assert_ledger_verifies(runtime)


async def test_control_without_lock_and_condition(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger, the third guard, still settles the hold once."""
    take_out_row_locks(monkeypatch)
    monkeypatch.setattr(queries, "is_waiting", true)
    meet_after(monkeypatch, queries, "lock_own", parties=2)
    real, settled = queries.settle, []

    async def note(*given: Any) -> bool:
        settled.append(given)
        return await real(*given)

    monkeypatch.setattr(queries, "settle", note)
    outcomes, spent = await both_answers(api, runtime)
    assert outcomes.count("done") == 1
    assert spent in (0, PRICE)
    assert len(settled) > 1, "more than one came as far as the ledger"
    await assert_ledger_verifies(runtime)
