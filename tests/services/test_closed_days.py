"""Closed days: no transfer enters one, whatever the clocks say; sealing waits for what began."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from datetime import date, timedelta
from uuid import UUID

import pytest
from asyncpg import CheckViolationError
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.core.db_errors import Retry
from app.embedded.layout import Engines
from app.jobs import seals as job
from app.runtime import Runtime
from app.services.ledger import moments, posting, seals, verification
from tests.engines import as_owner, as_superuser
from tests.factories.clock import A_DAY, TODAY, noon, travel
from tests.factories.ledger import assert_ledger_verifies, award_posting, balance, give_points
from tests.factories.people import make_person
from tests.faults.waiting import eventually

pytestmark = pytest.mark.usefixtures("at_noon")
ANOTHER = UUID(int=8)  # its fund is not locked by the awards of the other organisation
AN_HOUR = timedelta(hours=1)
WITHOUT_TRIGGER = "ALTER TABLE ledger_transfers DISABLE TRIGGER refuse_closed_days"


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


async def sealed(runtime: Runtime) -> None:
    """Seal yesterday, in which somebody got points."""
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1, at=noon(1))
    assert await job.seal(runtime) == 1


async def differences(runtime: Runtime) -> list[tuple[str, str]]:
    async with runtime.database.snapshot() as tx:
        report = await verification.verify(tx)
    return [(one.check, one.subject) for one in report.differences]


async def test_a_transfer_that_is_late_is_refused(runtime: Runtime) -> None:
    await sealed(runtime)
    person = await make_person(runtime)
    end = midnight(TODAY)

    for late in (noon(1), noon(500), end - timedelta(microseconds=1)):
        with pytest.raises(Retry):
            await give_points(runtime, person.id, 1, at=late)
    await give_points(runtime, person.id, 2, at=end)

    assert await balance(runtime, person.id) == 2
    await assert_ledger_verifies(runtime)


async def test_control_without_the_trigger(
    runtime: Runtime, engines_and_template: tuple[Engines, str]
) -> None:
    """What enters a sealed day breaks its seal, and a trigger that is off is a difference."""
    await sealed(runtime)
    await as_superuser(engines_and_template[0], runtime.settings, WITHOUT_TRIGGER)
    await give_points(runtime, (await make_person(runtime)).id, 1, at=noon(1))

    found = await differences(runtime)

    assert ("closed days: no transfer enters one", "ledger_transfers") in found
    assert any(subject == f"seal of {TODAY - A_DAY}" for _, subject in found)


COPIES = """
INSERT INTO ledger_transfers SELECT gen_random_uuid(), unit_id, from_account_id,
    to_account_id, amount, from_number + n, to_number + n, from_balance, to_balance, kind,
    reason, reference || n, source_type, source_id, org_id, NULL,
    CAST('{today}' AS timestamptz) + make_interval(hours => {hours})
FROM ledger_transfers, generate_series(1, 3) n
"""


@pytest.mark.parametrize(
    ("hours", "outcome"),
    [("2 - n", pytest.raises(Retry, match="QX001")), ("n - 1", nullcontext())],
    ids=["the last of three is late", "none is late"],
)
async def test_one_late_transfer_of_a_list_refuses_the_statement(
    runtime: Runtime, hours: str, outcome: AbstractContextManager[object]
) -> None:
    await sealed(runtime)
    copies = COPIES.format(today=midnight(TODAY).isoformat(), hours=hours)
    with outcome:
        async with runtime.database.transaction() as tx:
            await tx.fetch(copies, {})


async def test_sealing_waits_for_a_transaction_that_has_not_seen_the_end_of_the_day(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transfer is of yesterday and in the seal of yesterday, though it commits later."""
    person, other = await make_person(runtime), await make_person(runtime)
    await give_points(runtime, other.id, 1, at=noon(1))
    async with runtime.database.transaction() as tx:
        await posting.post(tx, [award_posting(person.id, 5)], noon(1))
        sealing = asyncio.create_task(job.seal(runtime))
        await closed(runtime, TODAY - A_DAY)
        async with runtime.database.read() as reader:
            assert await seals.days_to_seal(reader, now()) == [TODAY - A_DAY]
        with pytest.raises(Retry):
            await give_points(runtime, other.id, 1, org=ANOTHER, at=noon(1))

    assert await sealing == 1
    await assert_ledger_verifies(runtime)
    assert await leaves(runtime) == 4

    # Control: without the wait the seal lacks what commits after it.
    monkeypatch.setattr(seals, "may_seal", at_once)
    tomorrow = midnight(TODAY + A_DAY) + AN_HOUR
    async with runtime.database.transaction() as tx:
        await posting.post(tx, [award_posting(person.id, 5)], midnight(TODAY))
        with travel(tomorrow):
            assert await job.seal(runtime) == 1
    assert ("seals: each day's tree and the chain of days", f"seal of {TODAY}") in (
        await differences(runtime)
    )


async def test_sealing_gives_up_for_this_time_if_a_transaction_does_not_end(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "PATIENCE_S", 0.1)
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1, at=noon(1))
    async with runtime.database.transaction() as tx:
        await posting.post(tx, [award_posting(person.id, 5)], noon(1))
        assert await job.seal(runtime) == 0
    monkeypatch.undo()
    assert await job.seal(runtime) == 1
    await assert_ledger_verifies(runtime)


async def test_postings_are_dated_after_the_last_closed_day(runtime: Runtime) -> None:
    await sealed(runtime)
    with travel(midnight(TODAY) - AN_HOUR):
        async with runtime.database.transaction() as tx:
            assert await moments.moment(tx) == midnight(TODAY)
    with travel(midnight(TODAY) + AN_HOUR):
        async with runtime.database.transaction() as tx:
            assert await moments.moment(tx) == midnight(TODAY) + AN_HOUR


DAMAGE = {
    "a trigger that is off": (
        WITHOUT_TRIGGER,
        ("closed days: no transfer enters one", "ledger_transfers"),
    ),
    "no trigger": (
        "DROP TRIGGER refuse_closed_days ON ledger_transfers",
        ("closed days: no transfer enters one", "ledger_transfers"),
    ),
    "a day that is open again": (
        "SET session_replication_role = replica; DELETE FROM ledger_closed_days",
        ("closed days: each sealed day is closed", f"seal of {TODAY - A_DAY}"),
    ),
    "a day that is to come": (
        "INSERT INTO ledger_closed_days VALUES ('2097-03-01')",
        ("closed days: none is to come", "closed day 2097-03-01"),
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_what_would_let_transfers_in_is_seen(
    runtime: Runtime, engines_and_template: tuple[Engines, str], damage: str
) -> None:
    await sealed(runtime)
    assert await differences(runtime) == []
    statement, difference = DAMAGE[damage]
    await as_superuser(engines_and_template[0], runtime.settings, statement)
    assert difference in await differences(runtime)


async def test_no_day_is_closed_that_is_not_over(runtime: Runtime) -> None:
    """With the service's password, by PostgreSQL's clock: postings are dated after closed days."""
    on = "ALTER TABLE ledger_closed_days ENABLE TRIGGER refuse_days_to_come"
    await as_owner(runtime.settings, on)
    async with runtime.database.read() as tx:
        [row] = await tx.fetch("SELECT now() AS now", {})
    today = local_date(row.now)
    for day in (date(2099, 1, 1), today + A_DAY, today):
        with pytest.raises(CheckViolationError, match="is not over"):
            async with runtime.database.transaction() as tx:
                await seals.close_days(tx, [day])
    async with runtime.database.transaction() as tx:
        await seals.close_days(tx, [today - A_DAY])


async def test_a_day_cannot_be_sealed_that_is_not_closed(runtime: Runtime) -> None:
    await give_points(runtime, (await make_person(runtime)).id, 1, at=noon(1))
    with pytest.raises(IntegrityError, match="fk_ledger_seals_day"):
        async with runtime.database.transaction() as tx:
            await seals.seal_day(tx, TODAY - A_DAY)


async def closed(runtime: Runtime, day: date) -> None:
    """Wait until a day is closed."""

    async def is_closed() -> bool:
        async with runtime.database.read() as tx:
            found = "SELECT day FROM ledger_closed_days WHERE day = :day"
            return bool(await tx.fetch(found, {"day": day}))

    await eventually(is_closed)


async def leaves(runtime: Runtime) -> int:
    async with runtime.database.read() as tx:
        [row] = await tx.fetch("SELECT sum(leaves) AS leaves FROM ledger_seals", {})
    return int(row.leaves)


async def at_once(_: Session, __: int) -> bool:
    return True
