"""Posting: lock the accounts, read what depends on the locks, plan, write."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.models.ledger import Purpose
from app.queries.ledger import posting as queries
from app.queries.ledger.posting import AccountRow, LotRow, LotUseRow, TransferRow
from app.services.ledger.plan import Plan, lots_by_account
from app.services.ledger.types import AccountKey, Outcome, Posting

Locked = dict[AccountKey, AccountRow]
# Gives back what a person's overdue reservations hold. Whoever takes from somebody what is
# there calls it before locking; reservations stand above, so it comes as an argument.
Unhold = Callable[[Session, UUID], Awaitable[None]]


async def lock(tx: Session, keys: Iterable[AccountKey]) -> Locked:
    """Lock accounts in one sorted statement, opening those that do not exist yet.

    With a person's spendable points what she owes is locked, if she ever owed anything:
    what arrives pays that first.

    A caller that must decide on sums before it posts (caps) locks first and hands the
    result to ``post``. All accounts of a transaction must be locked in one call:
    a second call could wait for somebody who waits for the first.
    """
    wanted = set(keys)
    if not wanted:
        return {}
    others = {key.debt for key in wanted if key.has_lots} - wanted
    locked = await _lock(tx, wanted, others)
    if not locked:
        await queries.open_accounts(tx, list(wanted), [key.floor for key in wanted])
        locked = await _lock(tx, wanted, others)
    assert wanted <= locked.keys(), "accounts are opened and never closed"
    return locked


async def spendable(tx: Session, account_id: int, at: datetime) -> int:
    """Sum what a locked account's lots hold that has not expired."""
    lots = await queries.spendable_lots(tx, [account_id])
    return sum(lot.remaining for lot in lots if lot.expires_at > at)


async def key_of(tx: Session, account_id: int) -> AccountKey:
    """Return the name of an account that a transfer names."""
    row = await queries.find_account(tx, account_id)
    return AccountKey(row.owner_id, Purpose(row.purpose), row.unit_id)


async def post(
    tx: Session,
    postings: Sequence[Posting],
    at: datetime,
    locked: Locked | None = None,
    *,
    new: bool = False,
) -> list[Outcome]:
    """Post a list of transfers in a fixed number of statements, one outcome each.

    The locking and the reading are two statements, so that the second sees what was
    committed while the first waited. ``new``: the caller knows that no reference exists and
    nothing is closed, so that nobody need look (the unique index would). Outcomes: Posted,
    or InsufficientPoints, AlreadySettled, ReferenceReused.
    """
    if not postings:
        return []
    if locked is None:
        locked = await lock(
            tx, {key for posting in postings for key in (posting.payer, posting.payee)}
        )
    if not new:
        await _lock_new_debts(tx, postings, locked)
    related = [] if new else await _related(tx, postings)
    plan = Plan(
        accounts=locked,
        by_reference={transfer.reference: transfer for transfer in related},
        closed={t.closes_id: t for t in related if t.closes_id is not None},
        lots=await _lots(tx, postings, locked),
        used=await _uses(tx, postings),
        at=at,
    )
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
    return outcomes


async def _lock(tx: Session, wanted: set[AccountKey], others: set[AccountKey]) -> Locked:
    rows = await queries.lock_accounts(tx, list(wanted), list(others))
    return {AccountKey(row.owner_id, Purpose(row.purpose), row.unit_id): row for row in rows}


async def _lock_new_debts(tx: Session, postings: Sequence[Posting], locked: Locked) -> None:
    """Lock what people owe since this transaction began to wait for their points.

    The locking statement does not see an account that a reversal opened meanwhile: points put
    away from it would come back whole. A check-in (``new``) is spared the look: there the first
    debt of somebody's life, made in that very moment, is paid by what comes next.
    """
    debts = {posting.payee.debt for posting in postings if posting.payee.has_lots}
    if missing := debts - locked.keys():
        locked.update(await _lock(tx, set(), missing))


async def _related(tx: Session, postings: Sequence[Posting]) -> list[TransferRow]:
    closes = [posting.closes_id for posting in postings if posting.closes_id is not None]
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
    """What the transfers used that this list gives back."""
    uses: dict[UUID, list[tuple[LotUseRow, LotRow]]] = defaultdict(list)
    returned = {
        p.closes_id for p in postings if p.closes_id and p.payee.has_lots and p.expires_at is None
    }
    if returned:
        for use, lot in await queries.uses_of(tx, sorted(returned)):
            uses[use.transfer_id].append((use, lot))
    return uses
