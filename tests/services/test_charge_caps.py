"""Daily caps of charges: of a person, of a merchant, of a person at a merchant."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.runtime import Runtime
from app.schemas.redemptions import ChargeOut
from app.services.ledger.types import AccountKey, InsufficientPoints
from app.services.redemptions import charge_caps, charges
from app.services.redemptions.charge_caps import CapReached
from app.services.redemptions.charges import ChargeCommand
from tests.concurrency.meeting import until_somebody_waits_for
from tests.factories.charges import charge_at, let_pass, limit_charges, make_careful_counter
from tests.factories.http import assert_refused
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_people
from tests.factories.points import refund
from tests.factories.rewards import Counter, make_card_codes, make_counter

CAP = 20
pytestmark = pytest.mark.usefixtures("at_noon")  # a day must not end in the middle


async def payers(runtime: Runtime, number: int = 2, points: int = 100) -> list[TestPerson]:
    people = await make_people(runtime, number)
    for one in people:
        await give_points(runtime, one.id, points)
    return people


async def outcome(
    api: httpx.AsyncClient, runtime: Runtime, counter: Counter, person: TestPerson, points: int
) -> str:
    reply = await charge_at(api, runtime, counter, person, points)
    return str(reply.json().get("code", reply.json().get("status")))


@pytest.mark.parametrize(
    ("limit", "refused"),
    [
        # Of one's own second charge, of another person's at the same shop, of one's own elsewhere.
        ("person_day", (True, False, True)),
        ("merchant_day", (True, True, False)),
        ("person_at_merchant_day", (True, False, False)),
    ],
)
async def test_each_cap_counts_what_it_says(
    api: httpx.AsyncClient, runtime: Runtime, limit: str, refused: tuple[bool, ...]
) -> None:
    org = await make_org(runtime)
    await limit_charges(runtime, org, **{limit: CAP})
    here, there = [await make_counter(runtime, org=org) for _ in range(2)]
    one, other = await payers(runtime)
    assert await outcome(api, runtime, here, one, CAP - 5) == "charged"
    tried = [
        await outcome(api, runtime, counter, person, 6)
        for counter, person in ((here, one), (here, other), (there, one))
    ]
    assert tried == ["charges.cap_reached" if no else "charged" for no in refused]
    # Exactly up to the cap it goes.
    if limit != "merchant_day":
        assert await outcome(api, runtime, here, one, 5) == "charged"
    await assert_ledger_verifies(runtime)


async def test_what_went_back_counts_no_more(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """A refund, a part of one, and a charge that nobody confirmed make room; one that waits not."""
    counter = await make_careful_counter(runtime, person_day=CAP, confirm_above=15)
    [person] = await payers(runtime, 1)
    first = (await charge_at(api, runtime, counter, person, 10)).json()
    assert await outcome(api, runtime, counter, person, 11) == "charges.cap_reached"
    await refund(api, counter, first["id"])
    waiting = (await charge_at(api, runtime, counter, person, 16)).json()
    assert waiting["status"] == "waiting"
    refused = await charge_at(api, runtime, counter, person, 5)
    assert_refused(refused, 409, "charges.cap_reached")
    assert refused.json()["facts"]["used"] == 16
    await let_pass(runtime, waiting["id"])
    assert await outcome(api, runtime, counter, person, 5) == "charged"
    await assert_ledger_verifies(runtime)


async def test_a_batch_counts_what_is_before_in_it_unless_it_was_refused(
    runtime: Runtime,
) -> None:
    """The first is refused by the ledger, and leaves the cap to the others of the batch."""
    counter = await make_careful_counter(runtime, merchant_day=CAP)
    poor, rich = await payers(runtime)
    await give_points(runtime, rich.id, 100)
    async with runtime.database.transaction() as tx:
        free = await make_counter(runtime)
        [code] = await make_card_codes(runtime, poor, 1)
        spent = ChargeCommand(free.staff.id, code, 95, "")
        [done] = await charges.charge(tx, [spent], now())
    assert not isinstance(done, Refusal)
    codes = [*await make_card_codes(runtime, poor, 1), *await make_card_codes(runtime, rich, 4)]
    points = (19, 12, 8, 1, 1)
    commands = [
        ChargeCommand(counter.staff.id, code, each, "")
        for code, each in zip(codes, points, strict=True)
    ]
    async with runtime.database.transaction() as tx:
        outcomes = await charges.charge(tx, commands, now())
    kinds = [type(one) if isinstance(one, Refusal) else one.points for one in outcomes]
    # In the first round 19 leave room for the fourth alone; once they are refused, 12 and 1 follow.
    assert kinds == [InsufficientPoints, 12, CapReached, 1, 1]
    assert await balance(runtime, rich.id) == 200 - 14
    await assert_ledger_verifies(runtime)


async def _second_of_two(api: httpx.AsyncClient, runtime: Runtime) -> str:
    """Two people are charged at one merchant, each for the rest of its cap, by two processes.

    Both charges wait for their payers, so neither posts to the merchant. Returns the outcome of the
    second, which begins before the first commits.
    """
    counter = await make_careful_counter(runtime, merchant_day=CAP, confirm_above=5)
    one, other = await payers(runtime)
    # Opens the account of the merchant: opening it would be a lock too.
    assert await outcome(api, runtime, counter, one, 5) == "charged"

    async def charge(tx: Session, person: TestPerson) -> ChargeOut | Refusal:
        [code] = await make_card_codes(runtime, person, 1)
        command = ChargeCommand(counter.staff.id, code, CAP - 5, "")
        [done] = await charges.charge(tx, [command], now())
        return done

    async def second() -> ChargeOut | Refusal:
        async with runtime.database.transaction() as tx:
            return await charge(tx, other)

    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
        assert isinstance(await charge(tx, one), ChargeOut)
        charging = group.create_task(second())
        waiting = group.create_task(until_somebody_waits_for(runtime, tx))
        await asyncio.wait({charging, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    done = charging.result()
    return done.code if isinstance(done, Refusal) else done.status


async def test_charges_that_wait_lock_the_merchant_for_its_cap(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    assert await _second_of_two(api, runtime) == "charges.cap_reached"


async def test_control_without_the_lock_on_the_merchant(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def posted_to(wanted: Sequence[charge_caps.Wanted]) -> set[AccountKey]:
        return {key for one in wanted for key in (one.posting.payer, one.posting.payee)}

    monkeypatch.setattr(charge_caps, "_accounts", posted_to)
    assert await _second_of_two(api, runtime) == "waiting"
