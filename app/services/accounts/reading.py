"""Accounts of the ledger for administrators and auditors of a subtree.

Accounts of organisations and merchants of the subtree are listed. Those of a person are found by
the person's id, if the person takes part in the subtree by an act of their own: a role that
somebody gave to them does not count. Each look at a person's account leaves an entry in the audit
trail. Names of people are masked for auditors.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Key, Page, PageParams, keyset
from app.models.ledger import Account, Purpose
from app.models.orgs import Org
from app.queries import accounts as queries
from app.queries import members as member_queries
from app.queries.ledger import units as unit_queries
from app.schemas.accounts import AccountOut, OwnerKind
from app.services import audit, records
from app.services.accounts import owners
from app.services.accounts.owners import READERS, Owner

MOST_DIGITS = 19  # of a bigint
LISTED = {"list": "/ledger/accounts"}


class AccountNotFound(Refusal):
    code, status, title = "accounts.not_found", 404, "No such account"
    zh, en = "账户不存在或不在该组织范围内", "There is no such account in this organisation."


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    owner_id: UUID | None,
    purpose: Purpose | None,
    asked: PageParams,
) -> Page[AccountOut]:
    """Return accounts of organisations and merchants of a subtree; with ``owner_id`` of one owner.

    Of a person all accounts, and an entry in the audit trail. Raises OrgNotFound, Forbidden.
    """
    org = await records.authorized(tx, caller, READERS, org_id)
    if owner_id is None or not await member_queries.takes_part(tx, org.path, owner_id):
        return await browse_of_subtree(tx, caller, org_id, owner_id, purpose, asked)
    await audit.write_about(tx, caller, "viewed", ("person", owner_id), org.id, facts=LISTED)
    read = partial(queries.of_owner, tx, owner_id, _purposes(purpose))
    return await _page(tx, read, await owners.masks(tx, caller, org.path), asked)


async def browse_of_subtree(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    owner_id: UUID | None,
    purpose: Purpose | None,
    asked: PageParams,
) -> Page[AccountOut]:
    """Return accounts of organisations and merchants alone. Raises OrgNotFound, Forbidden."""
    org = await records.authorized(tx, caller, READERS, org_id)
    read = partial(queries.of_subtree, tx, org.path, owner_id, _purposes(purpose))
    return await _page(tx, read, True, asked)


def _purposes(purpose: Purpose | None) -> list[Purpose]:
    return [purpose] if purpose is not None else list(Purpose)


async def _page(
    tx: Session,
    read: Callable[[queries.Key | None, int], Awaitable[Sequence[Account]]],
    hidden: bool,
    asked: PageParams,
) -> Page[AccountOut]:
    codes = await unit_queries.units(tx)

    async def shown(after: Key | None, limit: int) -> list[AccountOut]:
        return await _shown(tx, await read(after, limit), hidden)

    return await keyset(
        asked,
        (UUID, str, int),
        shown,
        lambda out: out,
        lambda out: (out.owner_id, out.purpose.value, codes[out.unit]),
    )


async def unit_codes(tx: Session) -> dict[int, str]:
    """Return the codes of all units, by id."""
    return {unit: code for code, unit in (await unit_queries.units(tx)).items()}


async def _shown(tx: Session, found: Sequence[Account], hidden: bool) -> list[AccountOut]:
    known = await owners.owners(tx, found, masks=hidden)
    codes = await unit_codes(tx)
    return [_to_out(one, known[one.owner_id], codes) for one in found]


def _to_out(one: Account, owner: Owner, codes: dict[int, str]) -> AccountOut:
    return AccountOut(
        id=str(one.id),
        owner_kind=owner.kind,
        owner_id=owner.id,
        owner_name=owner.name,
        purpose=Purpose(one.purpose),
        unit=codes[one.unit_id],
        balance=one.balance,
        floor=one.floor,
        last_number=one.last_number,
    )


@dataclass(frozen=True, slots=True)
class Readable:
    """An account that the caller may read as somebody of ``org``."""

    account: Account
    owner: Owner
    org: Org
    hidden: bool  # the names of people


async def readable(tx: Session, caller: UUID, org_id: UUID, account_id: str) -> Readable:
    """Return an account of a subtree. Raises OrgNotFound, Forbidden, AccountNotFound."""
    org = await records.authorized(tx, caller, READERS, org_id)
    is_number = account_id.isascii() and account_id.isdecimal() and len(account_id) < MOST_DIGITS
    account = await queries.find(tx, int(account_id)) if is_number else None
    if account is None:
        raise AccountNotFound
    hidden = await owners.masks(tx, caller, org.path)
    owner = (await owners.owners(tx, [account], masks=hidden)).get(account.owner_id)
    if owner is None or not await _is_within(tx, org, owner):
        raise AccountNotFound
    return Readable(account, owner, org, hidden)


async def _is_within(tx: Session, org: Org, owner: Owner) -> bool:
    if owner.path is not None:
        return owner.path.startswith(org.path)
    return await member_queries.takes_part(tx, org.path, owner.id)


async def read(tx: Session, caller: UUID, org_id: UUID, account_id: str) -> AccountOut:
    """Return an account. Raises OrgNotFound, Forbidden, AccountNotFound."""
    one = await readable(tx, caller, org_id, account_id)
    await note_reading(tx, caller, one)
    return _to_out(one.account, one.owner, await unit_codes(tx))


async def note_reading(tx: Session, caller: UUID, one: Readable) -> None:
    """Write to the audit trail that somebody looks at a person's account."""
    if one.owner.kind is OwnerKind.person:
        facts = {"purpose": one.account.purpose}
        subject = ("person", one.owner.id)
        await audit.write_about(tx, caller, "viewed", subject, one.org.id, facts=facts)
