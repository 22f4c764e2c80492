"""The ledger is that of the people, organisations and acts that it names, or does not verify."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from app.core.clock import now
from app.embedded.layout import Engines
from app.runtime import Runtime
from app.schemas.deductions import DeductionIn
from app.schemas.redemptions import RedemptionIn
from app.services import deductions
from app.services.awards import reversal
from app.services.ledger import posting
from app.services.redemptions import charges, reservations
from app.services.redemptions.charges import ChargeCommand
from tests.conftest import ScratchFactory
from tests.engines import as_superuser
from tests.factories.awards import give_award
from tests.factories.damage import Damageable, damageable
from tests.factories.deductions import deduction_body
from tests.factories.funds import receive
from tests.factories.guesses import Uncounted
from tests.factories.ledger import (
    charge_posting,
    give_points,
    refund_posting,
    verified,
)
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_person
from tests.factories.rewards import make_card_codes, make_counter, make_overdue, make_reward

AWARDS = "awards: each gave its points"
HOURS = "transfers: hours and debts"
SETTLED = "transfers: what one settles"
SIDES = "transfers: each is between accounts"
TAKEN = "awards: what was rejected or reversed was taken back"
BOOKS = {
    "an award of more points": (AWARDS, "UPDATE awards SET points = points - 1"),
    "an award to somebody else": (AWARDS, "UPDATE awards SET person_id = '{other}'"),
    "an award by another organisation": (AWARDS, "UPDATE awards SET org_id = '{other_org}'"),
    "an award that nobody wrote down": (AWARDS, "DELETE FROM awards"),
    "an award that nobody took back": (
        TAKEN,
        "UPDATE awards SET state = 'reversed' WHERE id = '{kept}'",
    ),
    "an award of more hours": (HOURS, "UPDATE awards SET minutes = minutes + 1"),
    "hours of no award": (HOURS, "DELETE FROM awards"),
    "an account of somebody else": (
        AWARDS,
        "UPDATE ledger_accounts SET owner_id = gen_random_uuid() WHERE owner_id = '{person}'",
    ),
    "a reversal of another award": (
        SETTLED,
        "UPDATE ledger_transfers SET closes_id = '{kept}' WHERE kind = 'reversal' AND unit_id = 1",
    ),
    "a reversal of points that settles hours": (
        SETTLED,
        """
        UPDATE ledger_transfers SET closes_id = NULL WHERE kind = 'reversal' AND unit_id = 2;
        UPDATE ledger_transfers t SET closes_id = o.id FROM ledger_transfers o
        WHERE t.kind = 'reversal' AND t.unit_id = 1
          AND o.kind = 'award' AND o.unit_id = 2 AND o.source_id = t.source_id
        """,
    ),
    "a refund that settles nothing": (
        SIDES,
        "UPDATE ledger_transfers SET closes_id = NULL WHERE kind = 'refund'",
    ),
    "a refund of more than was spent": (
        SETTLED,
        "UPDATE ledger_transfers SET amount = amount + 1 WHERE kind = 'refund'",
    ),
    "a refund of what was only put aside": (
        SETTLED,
        "UPDATE ledger_transfers SET kind = 'hold' WHERE kind = 'charge'",
    ),
    "a refund to somebody else": (
        SETTLED,
        """
        UPDATE ledger_transfers t SET to_account_id = a.id, to_number = a.last_number + 1,
            to_balance = a.balance + t.amount
        FROM ledger_accounts a
        WHERE t.kind = 'refund' AND a.owner_id = '{other}' AND a.purpose = 'available'
        """,
    ),
}


@pytest_asyncio.fixture(scope="module")
async def booked(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Damageable]:
    """Awards with hours, one of them taken back, and a charge that was given back."""
    async with ScratchFactory(engines_and_template, worker_number)() as application:
        runtime: Runtime = application.state.runtime
        person, other = await make_person(runtime), await make_person(runtime)
        org, other_org = await make_org(runtime), await make_org(runtime)
        kept, taken = [
            await give_award(runtime, person, org, points=4, minutes=60, days_ago=days)
            for days in (1, 2)
        ]
        await give_points(runtime, other.id, 4)
        administrator = await make_administrator(runtime, org.id)
        async with runtime.database.transaction() as tx:
            await reversal.reverse(tx, administrator.id, taken, "有误")
        spent = charge_posting(person.id, 2)
        async with runtime.database.transaction() as tx:
            await posting.post(tx, [spent, refund_posting(spent)], now())
        names = {"person": person.id, "other": other.id, "other_org": other_org.id, "kept": kept}
        async with damageable(application, engines_and_template[0], **names) as found:
            yield found


@pytest.mark.parametrize(("check", "damage"), BOOKS.values(), ids=BOOKS.keys())
async def test_transfers_are_of_the_facts_that_they_name(
    booked: Damageable, check: str, damage: str
) -> None:
    found = {one.check for one in (await booked.damaged(damage)).differences}
    assert any(name.startswith(check) for name in found), found


OTHERS = {
    "a debt": "purpose = 'debt'",
    "held points": "purpose = 'held'",
    "pending points": "purpose = 'pending'",
    "spendable points": "purpose = 'available' AND unit_id = 1",
    "hours": "purpose = 'available' AND unit_id = 2",
    "a till": "purpose = 'takings'",
    "a fund": "purpose = 'fund' AND unit_id = 1",
    "a fund of hours": "purpose = 'fund' AND unit_id = 2",
}


async def _live(runtime: Runtime) -> None:
    """Let one person have an account for each purpose, all from real acts."""
    person, org, shop = (
        await make_person(runtime),
        await make_org(runtime),
        await make_counter(runtime),
    )
    taken = await give_award(runtime, person, org, points=4, minutes=60, days_ago=2)
    await give_award(runtime, person, org, points=2, minutes=60, days_ago=1)
    await give_award(runtime, person, org, points=1, proof="poster_code")
    (code,) = await make_card_codes(runtime, person, 1)
    reward = await make_reward(runtime, shop, points=1)
    administrator = await make_administrator(runtime, org.id)
    async with runtime.database.transaction() as tx:
        await charges.charge(tx, [ChargeCommand(shop.staff.id, code, 5, "")], now())
        await reversal.reverse(tx, administrator.id, taken, "有误")
    await give_award(runtime, person, org, points=6)
    async with runtime.database.transaction() as tx:
        await reservations.reserve(tx, person.id, RedemptionIn(reward_id=reward.id, quantity=1))
        missed = DeductionIn.model_validate(deduction_body(org, person))
        await deductions.deduct(tx, administrator.id, missed, Uncounted())
    await receive(runtime, org, 30)


@pytest.fixture
async def busy(alone: FastAPI) -> Runtime:
    """A ledger in which one person has an account for each purpose."""
    runtime: Runtime = alone.state.runtime
    await _live(runtime)
    return runtime


@pytest_asyncio.fixture(scope="module")
async def lived(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Damageable]:
    """The same, for damage that is undone."""
    async with ScratchFactory(engines_and_template, worker_number)() as application:
        await _live(application.state.runtime)
        async with damageable(application, engines_and_template[0]) as found:
            yield found


@pytest.mark.parametrize("which", OTHERS.values(), ids=OTHERS.keys())
async def test_an_account_is_of_who_the_acts_say(lived: Damageable, which: str) -> None:
    taken = f"UPDATE ledger_accounts SET owner_id = gen_random_uuid() WHERE {which}"  # noqa: S608
    assert not (await lived.damaged(taken)).holds


MOVED, STATE = "each moved its points", "each was settled as its state says"
FACTS = {
    "a charge of more points": (MOVED, "UPDATE charges SET points = points + 1"),
    "a charge of somebody else": (MOVED, "UPDATE charges SET person_id = staff_id"),
    "a charge that nobody wrote down": (MOVED, "DELETE FROM charges"),
    "a charge without points": (
        MOVED,
        """
        INSERT INTO charges
        SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid()))).*
        FROM charges c
        """,
    ),
    "a charge that nobody gave back": (STATE, "UPDATE charges SET status = 'refunded'"),
    "a reservation of fewer points": (MOVED, "UPDATE redemptions SET points = points + 1"),
    "a reservation that nobody collected": (STATE, "UPDATE redemptions SET status = 'collected'"),
    "a reservation that nobody gave up": (STATE, "UPDATE redemptions SET status = 'cancelled'"),
    "a deduction of more points": (MOVED, "UPDATE deductions SET points = points - 1"),
    "a deduction that nobody gave back": (STATE, "UPDATE deductions SET state = 'revoked'"),
    "a donation of more points": (MOVED, "UPDATE fund_receipts SET points = points - 1"),
    "a donation that is told to be a budget": (MOVED, "UPDATE fund_receipts SET kind = 'budget'"),
    "a donation that nobody reversed": (
        STATE,
        """
        UPDATE fund_receipts SET state = 'reversed', reversal_proposed_by = created_by,
               reversal_reason = 'x', reversal_confirmed_by = (
                   SELECT id FROM people WHERE id <> created_by LIMIT 1)
        """,
    ),
    "a donation that nobody wrote down": (MOVED, "DELETE FROM fund_receipts"),
}


@pytest.mark.parametrize(("check", "damage"), FACTS.values(), ids=FACTS.keys())
async def test_points_are_of_the_acts_that_moved_them(
    lived: Damageable, check: str, damage: str
) -> None:
    found = (await lived.damaged(damage)).differences
    assert any(check in one.check for one in found), found


OPEN, SUMS = "the open ones are those", "the open ones sum to the balance"
FIRST, UNTIL = "an account names the first end", "each reservation is held until its end"
HOLDS = {
    "a hold that nobody noted": (OPEN, "DELETE FROM ledger_holds"),
    "a hold that is told to have ended": (SUMS, "UPDATE ledger_holds SET is_open = false"),
    "a hold of other points": (OPEN, "UPDATE ledger_holds SET account_id = account_id + 1"),
    "an end that the account does not name": (
        FIRST,
        "UPDATE ledger_accounts SET holds_until = NULL",
    ),
    "an end of no hold": (FIRST, "UPDATE ledger_accounts SET holds_until = now()"),
    "a hold that outlives its reservation": (
        UNTIL,
        "UPDATE redemptions SET expires_at = expires_at - INTERVAL '1 hour'",
    ),
}


@pytest.mark.parametrize(("check", "damage"), HOLDS.values(), ids=HOLDS.keys())
async def test_what_is_held_is_held_until_its_end(
    lived: Damageable, check: str, damage: str
) -> None:
    found = {one.check for one in (await lived.damaged(damage)).differences}
    assert any(check in name for name in found), found


async def test_a_hold_is_not_ended_before_its_reservation(
    engines_and_template: tuple[Engines, str], busy: Runtime
) -> None:
    """After it, the job may not have come yet."""
    async with busy.database.read() as tx:
        query = text("SELECT id, person_id FROM redemptions")
        reserved = (await tx.execute(query)).one()
    await make_overdue(busy, reserved.id)
    await give_points(busy, reserved.person_id, 1)
    assert (await verified(busy)).holds

    await as_superuser(
        engines_and_template[0],
        busy.settings,
        "UPDATE redemptions SET expires_at = expires_at + INTERVAL '1 day'",
        "UPDATE ledger_holds SET held_until = held_until + INTERVAL '1 day'",
    )

    (found,) = (await verified(busy)).differences
    assert STATE in found.check


@pytest.mark.parametrize(
    ("purpose", "other"), [("debt", "income"), ("takings", "expired"), ("held", "budget")]
)
async def test_an_account_is_for_what_the_acts_say(
    lived: Damageable, purpose: str, other: str
) -> None:
    change = f"UPDATE ledger_accounts SET purpose = '{other}' WHERE purpose = '{purpose}'"  # noqa: S608
    assert not (await lived.damaged(change)).holds


WAITS, COUNTS = "the points of each wait", "the hours of each count"
ENDED = "what was taken back is"
REVIEWED = "reviewers approved"
STATES = {
    "paid, and told to wait": (WAITS, "state = 'pending' WHERE state = 'available'"),
    "waiting, and told to be paid": (WAITS, "state = 'available' WHERE state = 'pending'"),
    "waiting, and told to be taken back": (WAITS, "state = 'reversed' WHERE state = 'pending'"),
    "taken back, and told to stand": (ENDED, "state = 'available' WHERE state = 'reversed'"),
    "paid, and told to be rejected": (
        "what was rejected",
        "state = 'rejected' WHERE state = 'available' AND minutes = 0",
    ),
    "hours from nowhere": (COUNTS, "minutes = 60 WHERE state = 'available' AND minutes = 0"),
    "hours that wait": (COUNTS, "state = 'pending', points = 0 WHERE minutes > 0"),
    "shown, and reviewed by nobody": (
        REVIEWED,
        "state = 'notice', reviews_needed = 1 WHERE state = 'pending'",
    ),
    "an objection that vanished": (REVIEWED, "open_objections = 1 WHERE state = 'pending'"),
}


@pytest.mark.parametrize(("check", "damage"), STATES.values(), ids=STATES.keys())
async def test_an_award_is_where_its_transfers_left_it(
    lived: Damageable, check: str, damage: str
) -> None:
    found = (await lived.damaged(f"UPDATE awards SET {damage}")).differences  # noqa: S608
    assert any(check in one.check for one in found), found
    assert all(one.expected != one.found for one in found)


async def test_an_award_that_never_had_points_needs_no_transfer(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    person, org = await make_person(runtime), await make_org(runtime)
    await give_award(runtime, person, org, points=0)
    assert (await verified(runtime)).holds
