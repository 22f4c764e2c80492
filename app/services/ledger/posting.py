"""Posting: lock the accounts, read what depends on the locks, plan, write."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.models.ledger import Purpose
from app.queries.ledger import posting as queries
from app.queries.ledger.posting import AccountRow, LotRow, LotUseRow, TransferRow
from app.services.ledger import holds, totals
from app.services.ledger.plan import Plan, lots_by_account
from app.services.ledger.types import AccountKey, Outcome, Posting

Locked = dict[AccountKey, AccountRow]


async def lock(tx: Session, keys: Iterable[AccountKey], at: datetime) -> Locked:
    """Lock accounts in one sorted statement, opening those that do not exist.

    With spendable points the person's debt is locked, if that account exists: points that arrive
    repay it first. With held points the spendable ones are locked.

    Holds of the locked points that are overdue at ``at`` are ended before this returns; the rows
    contain the balances after that.

    A caller that decides on sums before it posts (caps) locks first and passes the result to
    ``post``. All accounts of a transaction must be locked in one call: a second call could
    deadlock.
    """
    wanted = set(keys)
    if not wanted:
        return {}
    wanted |= {key.available for key in wanted if key.purpose is Purpose.held}
    others = {key.debt for key in wanted if key.has_lots} - wanted
    locked = await _lock(tx, wanted, others)
    if not locked:
        await queries.open_accounts(tx, list(wanted), [key.floor for key in wanted])
        locked = await _lock(tx, wanted, others)
    assert wanted <= locked.keys(), "accounts are opened and never closed"
    if ending := await holds.endings(tx, locked, at):
        # This second lock cannot deadlock. A transaction that locks a person's held points also
        # locks their spendable points, and first: that account has the lower id. We hold its lock.
        # A hold that is settled already is only marked as ended.
        locked |= await _lock(tx, set(), {posting.payer for posting in ending} - locked.keys())
        await post(tx, ending, at, locked)
    return locked


async def spendable(tx: Session, account_id: int, at: datetime) -> int:
    """Sum the points in a locked account's lots that have not expired."""
    lots = await queries.spendable_lots(tx, [account_id])
    return sum(lot.remaining for lot in lots if lot.expires_at > at)


async def key_of(tx: Session, account_id: int) -> AccountKey:
    """Return the key of an account."""
    owner, purpose, unit = await queries.find_account(tx, account_id)
    return AccountKey(owner, Purpose(purpose), unit)


async def post(
    tx: Session,
    postings: Sequence[Posting],
    at: datetime,
    locked: Locked | None = None,
    *,
    new: bool = False,
) -> list[Outcome]:
    """Post a batch of transfers in a fixed number of statements, one outcome each.

    Locking and reading are two statements, so that the second sees what was committed while the
    first waited. ``new``: the caller knows that no reference exists and nothing is closed, so the
    look-up is skipped (the unique index still checks). Outcomes: Posted, or InsufficientPoints,
    AlreadySettled, ReferenceReused.
    """
    if not postings:
        return []
    if locked is None:
        locked = await lock(
            tx, {key for posting in postings for key in (posting.payer, posting.payee)}, at
        )
    if not new:
        await _lock_new_debts(tx, postings, locked)
    plan = await _plan(tx, postings, at, locked, new=new)
    outcomes = [plan.add(posting) for posting in postings]
    if plan.transfers:
        await queries.write(
            tx,
            transfers=plan.transfers,
            accounts=list(plan.touched.values()),
            made=plan.made,
            changed=plan.changed_lots,
            uses=plan.uses,
        )
        await totals.keep(tx, plan)
    await holds.note(tx, postings, plan)
    return outcomes


async def after_overdue_holds(tx: Session, accounts: Locked, at: datetime) -> Plan | None:
    """Plan what ``lock`` would do about overdue holds without writing; None if there are none.

    Updates the rows of ``accounts``, which must be all those of their owners. ``tx`` is a snapshot.
    """
    ending = await holds.endings(tx, accounts, at)
    if not ending:
        return None
    plan = await _plan(tx, ending, at, accounts, new=False)
    for posting in ending:
        plan.add(posting)
    return plan


async def _plan(
    tx: Session, postings: Sequence[Posting], at: datetime, accounts: Locked, *, new: bool
) -> Plan:
    """Read the rows that the postings depend on."""
    related = [] if new else await _related(tx, postings)
    return Plan(
        accounts=accounts,
        by_reference={transfer.reference: transfer for transfer in related},
        closed={t.closes_id: t for t in related if t.closes_id is not None},
        lots=await _lots(tx, postings, accounts),
        used=await _uses(tx, postings),
        at=at,
    )


async def _lock(tx: Session, wanted: set[AccountKey], others: set[AccountKey]) -> Locked:
    rows = await queries.lock_accounts(tx, list(wanted), list(others))
    return {AccountKey(row.owner_id, Purpose(row.purpose), row.unit_id): row for row in rows}


async def _lock_new_debts(tx: Session, postings: Sequence[Posting], locked: Locked) -> None:
    """Lock debts that were opened since this transaction began to wait for its locks.

    The locking statement does not see an account that a concurrent reversal opens while it waits.
    Without this, held points that are returned would not repay that debt. Not called for new
    postings (check-ins, charges): the next points of the person repay such a debt.
    """
    debts = {posting.payee.debt for posting in postings if posting.payee.has_lots}
    if missing := debts - locked.keys():
        locked.update(await _lock(tx, set(), missing))


async def _related(tx: Session, postings: Sequence[Posting]) -> list[TransferRow]:
    closes = [one.unless_closed for one in postings if one.unless_closed is not None]
    return await queries.find_related(tx, [p.reference for p in postings], closes)


async def _lots(
    tx: Session, postings: Sequence[Posting], locked: Locked
) -> dict[int, list[LotRow]]:
    spending = {locked[p.payer].id for p in postings if p.payer.has_lots}
    if not spending:
        return defaultdict(list)
    return lots_by_account(await queries.spendable_lots(tx, sorted(spending)))


async def _uses(
    tx: Session, postings: Sequence[Posting]
) -> dict[UUID, list[tuple[LotUseRow, LotRow]]]:
    """Return the uses of lots that this batch gives back, by transfer."""
    uses: dict[UUID, list[tuple[LotUseRow, LotRow]]] = defaultdict(list)
    returned = {
        p.source_of_lots
        for p in postings
        if p.source_of_lots and p.payee.has_lots and p.expires_at is None
    }
    if returned:
        for use, lot in await queries.uses_of(tx, sorted(returned)):
            uses[use.transfer_id].append((use, lot))
    return uses
