"""Merging: what somebody has goes to another account of the same person, by transfers.

Each lot goes apart, with its end, issuer and origin. Debts go first, and what arrives repays them
as an award would.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import unwrap
from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.queries.ledger import posting as queries
from app.queries.ledger import reading as reading_queries
from app.queries.ledger.posting import LotRow
from app.services.ledger import posting
from app.services.ledger.posting import Locked
from app.services.ledger.types import MINUTES, AccountKey, Posting

REASON = "账号合并"


@dataclass(frozen=True, slots=True)
class Merged:
    """The ids of a confirmed merge, its organisation, and the two people."""

    id: UUID
    org_id: UUID
    absorbed_id: UUID
    kept_id: UUID


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved, of all units of points together."""

    points: int = 0
    minutes: int = 0
    debt: int = 0


async def lock(tx: Session, one: Merged, at: datetime) -> Locked:
    """Lock what ``move`` may move, in one call; overdue holds have ended then."""
    keys: set[AccountKey] = set()
    for row in await reading_queries.accounts_of(tx, one.absorbed_id):
        if row.purpose == Purpose.available or row.balance < 0:  # or a debt
            for person in (one.absorbed_id, one.kept_id):
                keys.add(AccountKey(person, Purpose(row.purpose), row.unit_id))
                keys.add(AccountKey(person, Purpose.available, row.unit_id))
    return await posting.lock(tx, keys, at)


async def move(tx: Session, one: Merged, at: datetime, locked: Locked) -> Moved:
    """Move what is spendable, hours and debts. Expired lots wait for the job that takes them."""
    accounts = [row.id for key, row in locked.items() if key.has_lots]
    lots = [lot for lot in await queries.spendable_lots(tx, accounts) if lot.expires_at > at]
    postings: list[Posting] = []
    for key in [key for key in locked if key.owner_id == one.absorbed_id]:
        if key.purpose is Purpose.available:
            postings += _of_unit(one, key, locked, lots)
    for outcome in await posting.post(tx, postings, at, locked):
        unwrap([outcome])
    moved = [entry for entry in postings if entry.kind is Kind.merge]
    return Moved(
        points=sum(entry.amount for entry in moved if entry.payer.has_lots),
        minutes=sum(entry.amount for entry in moved if entry.payer.unit_id == MINUTES),
        debt=sum(entry.amount for entry in moved if entry.payer.purpose is Purpose.debt),
    )


def _of_unit(one: Merged, key: AccountKey, locked: Locked, lots: list[LotRow]) -> list[Posting]:
    """Return the postings of one unit: debts, then lots or hours, then what is left to repay."""
    to = key._replace(owner_id=one.kept_id)
    if key.unit_id == MINUTES:
        hours = locked[key].balance
        return [_posting(one, key, to, hours)] if hours else []
    mine = [lot for lot in lots if lot.account_id == locked[key].id]
    postings = [_of_lot(one, key, to, lot) for lot in mine]
    if to.debt not in locked:
        return postings
    debt = -locked[key.debt].balance if key.debt in locked else 0
    if debt:
        postings.insert(0, _posting(one, to.debt, key.debt, debt))
    arrives = sum(lot.remaining for lot in mine)
    theirs = sum(lot.remaining for lot in lots if lot.account_id == locked[to].id)
    repaid = min(debt - locked[to.debt].balance - arrives, theirs)
    if repaid > 0:
        more = {"kind": Kind.repayment, "reason": "偿还冲正欠分"}
        postings.append(_posting(one, to, to.debt, repaid, **more))
    return postings


def _of_lot(one: Merged, payer: AccountKey, payee: AccountKey, lot: LotRow) -> Posting:
    return _posting(
        one,
        payer,
        payee,
        lot.remaining,
        org_id=lot.org_id,
        lot_id=lot.id,
        expires_at=lot.expires_at,
        origin_id=lot.first_brought_by,
    )


def _posting(
    one: Merged, payer: AccountKey, payee: AccountKey, amount: int, **more: Any
) -> Posting:
    transfer = new_id()
    what: dict[str, Any] = {"kind": Kind.merge, "reason": REASON, "org_id": one.org_id}
    return Posting(
        id=transfer,
        payer=payer,
        payee=payee,
        amount=amount,
        reference=f"merge:{transfer}",
        source_type="merge",
        source_id=one.id,
        **what | more,
    )
