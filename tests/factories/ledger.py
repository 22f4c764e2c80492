"""Points for tests, and the verification of the ledger."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.errors import unwrap
from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.queries.ledger import reading as queries
from app.runtime import Runtime
from app.services.ledger import posting as ledger_posting
from app.services.ledger import verification
from app.services.ledger.types import POINTS, AccountKey, Posting
from app.services.ledger.verification import Report
from tests.engines import as_owner

SOME_ORG = UUID(int=7)
TAKINGS = AccountKey(UUID(int=9), Purpose.takings)


def make_posting(
    payer: AccountKey,
    payee: AccountKey,
    amount: int,
    kind: Kind,
    *,
    org: UUID = SOME_ORG,
    **more: Any,
) -> Posting:
    """Return a posting with default values; ``more`` overrides fields."""
    transfer = new_id()
    what: dict[str, Any] = {
        "reason": "测试",
        "reference": f"test:{transfer}",
        "source_type": "lot",
        "source_id": transfer,
    }
    return Posting(
        id=transfer, payer=payer, payee=payee, amount=amount, kind=kind, org_id=org, **what | more
    )


def award_posting(
    person: UUID, points: int, *, expires_at: datetime | None = None, org: UUID = SOME_ORG
) -> Posting:
    """Return a posting that gives points out of a fund."""
    return make_posting(
        AccountKey(org, Purpose.fund),
        AccountKey(person, Purpose.available),
        points,
        Kind.award,
        org=org,
        reason="测试发放",
        expires_at=expires_at or now() + timedelta(days=700),
    )


def charge_posting(person: UUID, amount: int) -> Posting:
    """Return a posting that spends points at a merchant."""
    return make_posting(AccountKey(person, Purpose.available), TAKINGS, amount, Kind.charge)


def refund_posting(spent: Posting) -> Posting:
    """Return a posting that refunds a posting."""
    return make_posting(
        TAKINGS,
        spent.payer,
        spent.amount,
        Kind.refund,
        reference=f"refund:{spent.id}",
        source_id=spent.id,
        closes_id=spent.id,
    )


async def give_points(
    runtime: Runtime,
    person: UUID,
    points: int,
    *,
    expires_at: datetime | None = None,
    org: UUID = SOME_ORG,
    at: datetime | None = None,
) -> UUID:
    """Give points, now or at a past time; return the transfer."""
    posting = award_posting(person, points, expires_at=expires_at, org=org)
    async with runtime.database.transaction() as tx:
        unwrap(await ledger_posting.post(tx, [posting], at or now()))
    return posting.id


async def give_each(runtime: Runtime, people: Iterable[UUID], points: int, org: UUID) -> None:
    """Give points to several people in one transaction."""
    postings = [award_posting(person, points, org=org) for person in people]
    async with runtime.database.transaction() as tx:
        for outcome in await ledger_posting.post(tx, postings, now()):
            unwrap([outcome])


async def end_lot(runtime: Runtime, transfer: UUID) -> None:
    """Set the expiry of a lot to an hour ago, as the schema's owner."""
    ended = "UPDATE ledger_lots SET expires_at = now() - interval '1 hour' WHERE transfer_id = "
    await as_owner(runtime.settings, f"{ended}'{transfer}'")


async def end_lots(runtime: Runtime, person: UUID) -> None:
    """Set the expiry of all points of a person to an hour ago."""
    theirs = f"SELECT id FROM ledger_accounts WHERE owner_id = '{person}'"  # noqa: S608
    ended = "UPDATE ledger_lots SET expires_at = now() - interval '1 hour' WHERE account_id IN "
    await as_owner(runtime.settings, f"{ended}({theirs})")


async def make_debt(runtime: Runtime, person: UUID, points: int, *, org: UUID = SOME_ORG) -> None:
    """Make a person owe points, as the reversal of a spent award does."""
    posting = award_posting(person, points, org=org)
    owed = replace(
        posting,
        payer=AccountKey(person, Purpose.debt),
        payee=posting.payer,
        kind=Kind.clawback,
    )
    async with runtime.database.transaction() as tx:
        unwrap(await ledger_posting.post(tx, [owed], now()))


async def balance(
    runtime: Runtime, owner: UUID, purpose: Purpose = Purpose.available, unit: int = POINTS
) -> int:
    async with runtime.database.read() as tx:
        return (await queries.balances(tx, [owner])).get((owner, purpose, unit), 0)


async def assert_ledger_verifies(runtime: Runtime) -> None:
    async with runtime.database.snapshot() as tx:
        report = await verification.verify(tx)
    assert report.differences == [], report.differences[:5]


async def verified(runtime: Runtime) -> Report:
    """Verify on two connections, as the command does."""
    async with runtime.database.snapshot() as tx, runtime.database.snapshot() as beside:
        return await verification.verify(tx, beside=beside)
