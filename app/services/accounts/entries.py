"""The transfers of one account, as administrators and auditors of a subtree read them."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from app.core.clock import midnight
from app.core.db import Session
from app.core.paging import Key, Page, PageParams, keyset
from app.models.ledger import Account, Kind, Purpose, Transfer
from app.queries import accounts as queries
from app.queries.ledger import statement as statement_queries
from app.queries.ledger.statement import Span
from app.schemas.accounts import AccountEntryOut, OwnerKind
from app.services.accounts import owners
from app.services.accounts.owners import Owner, kind_of
from app.services.accounts.reading import Readable, note_reading, readable
from app.services.exports import MAX_ROWS, TooManyRows
from app.services.ledger import statement
from app.services.ledger.statement import FIRST_DAY, LAST_DAY, Period
from app.services.policies import naming

A_DAY = timedelta(days=1)
# What is not told of a transfer of another subtree.
WITHHELD = ("id", "reason", "reference", "source_type", "source_id", "org_id", "closes_id")


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    account_id: str,
    days: tuple[date | None, date | None],
    asked: PageParams,
    *,
    for_file: bool = False,
) -> Page[AccountEntryOut]:
    """Return the transfers of an account between two days, newest first; None: without a bound.

    A look at a person's account is written to the audit trail; ``for_file``: not here, as a file
    has an entry of its own. Raises OrgNotFound, Forbidden, AccountNotFound, Invalid, for a file
    TooManyRows.
    """
    since, until = [
        statement.within_reach(one) for one in (days[0] or FIRST_DAY, days[1] or LAST_DAY)
    ]
    period = statement.period_of(since, until)
    one = await readable(tx, caller, org_id, account_id)
    span = await _span(tx, one, period)
    if not for_file:
        await note_reading(tx, caller, one)
    elif span.last - span.before > MAX_ROWS:
        raise TooManyRows(limit=MAX_ROWS, measure="rows")
    return await _entries(tx, one, span, asked)


async def _span(tx: Session, one: Readable, period: Period) -> Span:
    account, purpose = one.account, Purpose(one.account.purpose)
    bounds = midnight(period.since), midnight(period.until + A_DAY)
    found = await statement_queries.span(tx, account.owner_id, purpose, account.unit_id, *bounds)
    assert found is not None, "the account was found"
    return found


async def _entries(
    tx: Session, one: Readable, span: Span, asked: PageParams
) -> Page[AccountEntryOut]:
    """Return the transfers of an account in a span of its numbers, newest first.

    Numbers have no gaps, and 41 index reads find the numbers at the ends of a period: no page
    reads more rows than it has, however long the account or the period.
    """

    async def page(after: Key | None, limit: int) -> list[AccountEntryOut]:
        newest = min(after[0] - 1, span.last) if after else span.last
        first = max(newest - limit + 1, span.before + 1)
        found = await queries.entries(tx, one.account.id, first, newest) if newest >= first else []
        return await _shown_entries(tx, one, found)

    return await keyset(asked, (int,), page, lambda out: out, lambda out: (out.number,))


async def _shown_entries(
    tx: Session, one: Readable, found: Sequence[tuple[int, Transfer]]
) -> list[AccountEntryOut]:
    sides = {_other(one.account.id, transfer) for _, transfer in found}
    others = await queries.many(tx, sides)
    known = await owners.owners(tx, others.values(), masks=one.hidden)
    within = await _within(tx, one, [transfer.org_id for _, transfer in found])
    names = await naming.book(tx, [transfer.reason for _, transfer in found])
    shown = []
    for number, transfer in found:
        other = others[_other(one.account.id, transfer)]
        is_withheld = one.owner.kind is OwnerKind.person and transfer.org_id not in within
        shown.append(_entry(one.account.id, number, transfer, other, known, names, is_withheld))
    return shown


async def _within(tx: Session, one: Readable, orgs: Collection[UUID]) -> set[UUID]:
    """Return which of the organisations are in the subtree of the reader."""
    found = await queries.paths(tx, set(orgs))
    return {org for org, (path, _) in found.items() if path.startswith(one.org.path)}


def _other(account: int, transfer: Transfer) -> int:
    is_payee = transfer.to_account_id == account
    return transfer.from_account_id if is_payee else transfer.to_account_id


def _entry(
    account: int,
    number: int,
    transfer: Transfer,
    other: Account,
    known: dict[UUID, Owner],
    names: naming.Book,
    is_withheld: bool,
) -> AccountEntryOut:
    is_payee = transfer.to_account_id == account
    direction: Literal["in", "out"] = "in" if is_payee else "out"
    owner = known.get(other.owner_id)
    told = {name: None if is_withheld else getattr(transfer, name) for name in WITHHELD}
    told["reason"] = told["reason"] and names.said(transfer.reason)
    return AccountEntryOut(
        **told,
        number=number,
        direction=direction,
        amount=transfer.amount,
        balance_after=transfer.to_balance if is_payee else transfer.from_balance,
        kind=Kind(transfer.kind),
        other_kind=kind_of(other.purpose),
        other_id=None if is_withheld else other.owner_id,
        other_name=None if is_withheld or owner is None else owner.name,
        other_purpose=Purpose(other.purpose),
        is_withheld=is_withheld,
        created_at=transfer.created_at,
    )
