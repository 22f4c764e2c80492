"""A lot that ends while it is spent, expired or refunded: nothing of it moves twice."""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.clock import now
from app.core.ids import new_id
from app.jobs import expiry
from app.models.ledger import Kind, Purpose
from app.queries.ledger import posting as posting_queries
from app.runtime import Runtime
from app.services.ledger import expiry as expiry_of_lots
from app.services.ledger import expiry as ledger_expiry
from app.services.ledger import posting as ledger_posting
from app.services.ledger.types import AccountKey, Outcome, Posting, ReferenceReused
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_account_locks, take_out_references
from tests.concurrency.meeting import meet_before
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org

AMOUNT, SPENT, WORKERS = 10, 6, 4
AN_HOUR, A_SECOND = timedelta(hours=1), timedelta(seconds=1)

_LOTS = text("""
SELECT l.amount, l.remaining, coalesce(sum(u.amount), 0) AS used
FROM ledger_lots l JOIN ledger_accounts a ON a.id = l.account_id
LEFT JOIN ledger_lot_uses u ON u.lot_id = l.id
WHERE a.owner_id = :owner GROUP BY l.id ORDER BY l.expires_at
""")


class Purse:
    """Somebody's only lot, which ended an hour ago unless told, and a shop."""

    def __init__(self, runtime: Runtime, org: UUID, ends: datetime) -> None:
        self.owner, self.shop = new_id(), new_id()
        self._runtime, self._org, self._ends = runtime, org, ends

    @classmethod
    async def open(cls, runtime: Runtime, ended: timedelta = AN_HOUR) -> "Purse":
        made = cls(runtime, (await make_org(runtime)).id, now() - ended)
        # Opens the account of what expired: opening it in the rush would be a lock too.
        await give_points(runtime, new_id(), AMOUNT, expires_at=made._ends, org=made._org)
        await made.expire(AN_HOUR)
        await give_points(runtime, made.owner, AMOUNT, expires_at=made._ends, org=made._org)
        return made

    async def spend(self, amount: int) -> UUID:
        """Spend a moment before the lot's end."""
        spent = self._posting(Kind.charge, amount)
        await self._post(spent, self._ends - A_SECOND)
        return spent.id

    async def refund(self, spent: UUID, at: datetime) -> Outcome:
        return await self._post(self._posting(Kind.refund, SPENT, spent), at)

    async def expire(self, after: timedelta) -> None:
        """Do what the job does so long after the lot's end."""
        async with self._runtime.database.transaction() as tx:
            await ledger_expiry.expire_lots(tx, self._ends + after, 1_000)

    async def facts(self) -> dict[str, Any]:
        async with self._runtime.database.read() as tx:
            rows = (await tx.execute(_LOTS, {"owner": self.owner})).all()
        return {
            "available": await balance(self._runtime, self.owner),
            "takings": await balance(self._runtime, self.shop, Purpose.takings),
            "expired": await balance(self._runtime, self._org, Purpose.expired) - AMOUNT,
            "lots": [(row.amount, row.remaining, int(row.used)) for row in rows],
        }

    async def _post(self, posting: Posting, at: datetime) -> Outcome:
        async with self._runtime.database.transaction() as tx:
            return (await ledger_posting.post(tx, [posting], at))[0]

    def _posting(self, kind: Kind, amount: int, closes: UUID | None = None) -> Posting:
        purse = AccountKey(self.owner, Purpose.available)
        till = AccountKey(self.shop, Purpose.takings)
        transfer = new_id()
        return Posting(
            id=transfer,
            payer=till if closes else purse,
            payee=purse if closes else till,
            amount=amount,
            kind=kind,
            reason="测试",
            reference=f"test:{transfer}",
            source_type="test",
            source_id=self.owner,
            org_id=self._org,
            closes_id=closes,
        )


async def spending_against_expiry(app: FastAPI) -> dict[str, Any]:
    runtime: Runtime = app.state.runtime
    purse = await Purse.open(runtime)
    # Opens the accounts: opening them in the rush would be a lock too.
    await purse.spend(1)
    works: list[Awaitable[Any]] = [purse.spend(AMOUNT - 1), expiry.expire_lots(runtime)]
    await rushes.at_once(works)
    return await purse.facts()


async def test_what_is_spent_does_not_expire(app: FastAPI) -> None:
    facts = await spending_against_expiry(app)

    assert facts["takings"] + facts["expired"] == AMOUNT
    assert (facts["available"], facts["lots"]) == (0, [(AMOUNT, 0, AMOUNT)])
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_spending_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_before(monkeypatch, posting_queries, "write", parties=2)
    facts = await spending_against_expiry(broken)
    assert facts["takings"] + facts["expired"] > AMOUNT


async def workers_expire(app: FastAPI) -> dict[str, Any]:
    runtime: Runtime = app.state.runtime
    purse = await Purse.open(runtime)
    await rushes.at_once(expiry.expire_lots(runtime) for _ in range(WORKERS))
    return await purse.facts()


async def test_workers_at_once_expire_a_lot_once(app: FastAPI) -> None:
    assert await workers_expire(app) == {
        "available": 0,
        "takings": 0,
        "expired": AMOUNT,
        "lots": [(AMOUNT, 0, AMOUNT)],
    }


@pytest.mark.long
async def test_control_of_workers_without_locks_and_references(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    await take_out_references(broken, monkeypatch)
    meet_before(monkeypatch, posting_queries, "write", parties=WORKERS)
    ((amount, _, used),) = (await workers_expire(broken))["lots"]
    assert used > amount


async def refund_against_expiry(app: FastAPI) -> dict[str, Any]:
    runtime: Runtime = app.state.runtime
    purse = await Purse.open(runtime)
    spent = await purse.spend(SPENT)
    works: list[Awaitable[Any]] = [purse.refund(spent, now()), expiry.expire_lots(runtime)]
    await rushes.at_once(works)
    return await purse.facts()


async def test_a_refund_of_what_has_ended_stays_and_the_rest_expires(app: FastAPI) -> None:
    assert await refund_against_expiry(app) == {
        "available": SPENT,
        "takings": 0,
        "expired": AMOUNT - SPENT,
        "lots": [(AMOUNT, 0, AMOUNT), (SPENT, SPENT, 0)],
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_refund_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_before(monkeypatch, posting_queries, "write", parties=2)
    assert (await refund_against_expiry(broken))["available"] != SPENT


async def test_a_refund_that_began_before_the_end_comes_in_time(runtime: Runtime) -> None:
    """It waited for the job, or its clock lags: what it gives back to the lot expires too."""
    purse = await Purse.open(runtime)
    spent = await purse.spend(SPENT)

    await purse.expire(after=A_SECOND)
    await purse.refund(spent, now() - AN_HOUR - A_SECOND)
    await purse.expire(after=AN_HOUR)

    assert await purse.facts() == {
        "available": 0,
        "takings": 0,
        "expired": AMOUNT,
        "lots": [(AMOUNT, 0, AMOUNT)],
    }
    await assert_ledger_verifies(runtime)


@pytest.mark.long
async def test_control_without_the_grace_the_job_can_never_go_on(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_of_lots, "GRACE", timedelta(0))
    purse = await Purse.open(broken.state.runtime)
    spent = await purse.spend(SPENT)

    await purse.expire(after=A_SECOND)
    await purse.refund(spent, now() - AN_HOUR - A_SECOND)

    with pytest.raises(ReferenceReused):
        await purse.expire(after=AN_HOUR)
