"""What somebody tampers with does not verify."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from app.core.clock import now
from app.core.errors import Busy
from app.embedded.layout import Engines
from app.models.ledger import Purpose
from app.runtime import Runtime
from app.services.ledger import posting, verification
from app.services.ledger.types import AccountKey
from app.services.ledger.verification import Difference
from tests.conftest import ScratchFactory
from tests.engines import as_superuser
from tests.factories.damage import Damageable, damageable
from tests.factories.ledger import (
    charge_posting,
    give_points,
    verified,
)

DAMAGE = {
    "a balance that grew": (
        "UPDATE ledger_accounts SET balance = balance + 1 WHERE id = {account}",
        {"accounts: the balance is the sum", "units: all balances", "lots: what is left sums"},
    ),
    "a transfer that vanished": (
        "DELETE FROM ledger_transfers WHERE id = '{transfer}'",
        {"accounts: the balance is the sum", "accounts: transfers are numbered"},
    ),
    "an amount that changed": (
        "UPDATE ledger_transfers SET amount = amount + 1 WHERE id = '{transfer}'",
        {"accounts: the balance is the sum", "transfers: the balance after", "lot uses"},
    ),
    "a lot that is fuller": (
        "UPDATE ledger_lots SET amount = 13, remaining = 9 WHERE account_id = {account}",
        {"lots: what is left sums", "lots: each comes", "lot uses"},
    ),
    "points that went from one lot to another": (
        """
        WITH lots AS (SELECT id, 3 - 2 * row_number() OVER (ORDER BY remaining) AS moved
                      FROM ledger_lots WHERE account_id = {account})
        UPDATE ledger_lots l SET remaining = remaining + moved FROM lots k WHERE k.id = l.id
        """,
        {"lots: what is left is the amount"},
    ),
    "a lot that vanished": (
        "DELETE FROM ledger_lots WHERE account_id = {account}",
        {"lots: what is left sums", "lot uses: each names"},
    ),
    "a use that vanished": (
        "DELETE FROM ledger_lot_uses USING ledger_lots WHERE id=lot_id AND account_id={account}",
        {"lots: what is left is", "lot uses: what a transfer"},
    ),
    "a number that is skipped": (
        "UPDATE ledger_transfers SET to_number = 99 WHERE id = '{transfer}'",
        {"accounts: transfers are numbered"},
    ),
    "a last number that lags": (
        "UPDATE ledger_accounts SET last_number = last_number - 1 WHERE id = {account}",
        {"accounts: transfers are numbered"},
    ),
    "a recorded balance that lies": (
        "UPDATE ledger_transfers SET to_balance = to_balance + 1 WHERE id = '{transfer}'",
        {"transfers: the balance after"},
    ),
    "a transfer of another unit": (
        "UPDATE ledger_transfers SET unit_id = 2 WHERE id = '{transfer}'",
        {"transfers: each is between accounts"},
    ),
    "uses of a lot that never was": (
        """
        INSERT INTO ledger_lot_uses
        SELECT t.id, '00000000-0000-0000-0000-000000000001', 6 - t.amount
        FROM ledger_transfers t WHERE t.kind = 'charge' AND t.amount IN (4, 8)
        """,
        {"lot uses: each names"},
    ),
    "a use by nobody that moves points from lot to lot": (
        """
        WITH lots AS (SELECT id, 3 - 2 * row_number() OVER (ORDER BY id) AS moved
                      FROM ledger_lots WHERE account_id = {account}),
        uses AS (INSERT INTO ledger_lot_uses
                 SELECT '00000000-0000-0000-0000-000000000001', id, -moved FROM lots)
        UPDATE ledger_lots l SET remaining = remaining + moved FROM lots k WHERE k.id = l.id
        """,
        {"lot uses: each names"},
    ),
    "a charge that gives to one lot what it takes from another": (
        """
        WITH lots AS (SELECT id, 3 - 2 * row_number() OVER (ORDER BY id) AS moved
                      FROM ledger_lots WHERE account_id = {account}),
        uses AS (INSERT INTO ledger_lot_uses AS u
                 SELECT t.id, l.id, -5 * moved FROM lots l, ledger_transfers t
                 WHERE t.kind = 'charge' AND t.amount = 4
                 ON CONFLICT (transfer_id, lot_id)
                 DO UPDATE SET amount = u.amount + excluded.amount)
        UPDATE ledger_lots l SET remaining = remaining + 5 * moved FROM lots k WHERE k.id = l.id
        """,
        {"lot uses: what a transfer"},
    ),
    "a floor that was taken out": (
        "UPDATE ledger_accounts SET floor = NULL WHERE id = {account}",
        {"accounts: the floor"},
    ),
    "an account that vanished": (
        "DELETE FROM ledger_accounts WHERE id = {account}",
        {"transfers: each is between accounts", "units: all balances"},
    ),
}


@pytest_asyncio.fixture(scope="module")
async def spent(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Damageable]:
    """Two lots of a person, from which two charges were paid."""
    async with ScratchFactory(engines_and_template, worker_number)() as application:
        runtime: Runtime = application.state.runtime
        person = uuid4()
        transfer = await give_points(runtime, person, 10)
        await give_points(runtime, person, 10, expires_at=now() + timedelta(days=900))
        async with runtime.database.transaction() as tx:
            locked = await posting.lock(tx, [AccountKey(person, Purpose.available)], now())
            await posting.post(tx, [charge_posting(person, 4), charge_posting(person, 8)], now())
        names = {
            "account": locked[AccountKey(person, Purpose.available)].id,
            "transfer": transfer,
        }
        async with damageable(application, engines_and_template[0], **names) as found:
            yield found


@pytest.mark.parametrize(("damage", "checks"), DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_found_and_placed(spent: Damageable, damage: str, checks: set[str]) -> None:
    report = await spent.damaged(damage)
    assert not report.holds
    found = {one.check for one in report.differences}
    for check in checks:
        assert any(name.startswith(check) for name in found), (check, found)
    subjects = " ".join(one.subject for one in report.differences)
    account = f"account {spent.names['account']}"
    assert account in subjects or "transfer " in subjects or "lot " in subjects
    assert all(one.expected != one.found for one in report.differences)


async def test_two_people_who_spent_from_each_others_lots_are_found(
    engines_and_template: tuple[Engines, str], alone: FastAPI
) -> None:
    """Each transfer, lot and account adds up: only the probe sees whose lots they were."""
    runtime: Runtime = alone.state.runtime
    for person in (uuid4(), uuid4()):
        await give_points(runtime, person, 10)
        async with runtime.database.transaction() as tx:
            await posting.post(tx, [charge_posting(person, 4)], now())
    assert (await verified(runtime)).holds

    exchanged = """
    UPDATE ledger_lot_uses u SET lot_id = o.lot_id FROM ledger_lot_uses o
    WHERE o.transfer_id <> u.transfer_id
    """
    await as_superuser(engines_and_template[0], runtime.settings, exchanged)

    (found,) = (await verified(runtime)).differences
    assert found.check == "lots: what transfers moved into and out of them"


async def test_two_connections_see_one_moment(
    engines_and_template: tuple[Engines, str], alone: FastAPI
) -> None:
    """What happens after the first one has looked, the second one does not see."""
    runtime: Runtime = alone.state.runtime
    await give_points(runtime, uuid4(), 10)
    async with runtime.database.snapshot() as tx, runtime.database.snapshot() as beside:
        await tx.execute(text("SELECT 1"))
        everywhere = "DELETE FROM ledger_lots; UPDATE ledger_accounts SET balance = balance + 1"
        await as_superuser(engines_and_template[0], runtime.settings, everywhere)
        report = await verification.verify(tx, beside=beside)
    assert report.holds, report.differences
    assert not (await verified(runtime)).holds


async def test_a_report_counts_what_it_read(runtime: Runtime) -> None:
    await give_points(runtime, uuid4(), 10)
    report = await verified(runtime)
    assert report.rows.keys() == {"accounts", "transfers", "lots", "lot_uses"}
    assert report.rows["transfers"] >= 1
    assert report.checks == 124


async def test_a_step_that_fails_raises_what_the_pool_translates(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two connections share the steps; a group of errors would not be read again elsewhere."""

    async def fail(_: object) -> list[Difference]:
        raise asyncpg.QueryCanceledError

    monkeypatch.setattr(verification, "_steps", lambda *_: {"first": fail, "second": fail})
    with pytest.raises(Busy):
        async with runtime.database.snapshot() as tx, runtime.database.snapshot() as beside:
            await verification.verify(tx, beside=beside)
