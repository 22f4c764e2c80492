"""SQL of ledger accounts for auditors: of a subtree, and the transfers of one account."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import tuple_, union_all
from sqlmodel import col, select

from app.core.db import Session
from app.models.ledger import Account, Transfer
from app.models.merchants import Merchant
from app.models.orgs import Org

Key = tuple[UUID, str, int]  # owner, purpose, unit


async def find(session: Session, account_id: int) -> Account | None:
    return await session.get(Account, account_id)


async def of_subtree(
    session: Session,
    org_path: str,
    owner: UUID | None,
    purposes: Collection[str],
    after: Key | None,
    limit: int,
) -> Sequence[Account]:
    """Read accounts of organisations and merchants of a subtree, in the order of their key."""
    is_below = col(Org.path).startswith(org_path, autoescape=True)
    shops = select(Merchant.id).join(Org, col(Org.id) == col(Merchant.org_id)).where(is_below)
    owners = union_all(select(Org.id).where(is_below), shops)
    query = select(Account).where(col(Account.owner_id).in_(owners))
    if owner is not None:
        query = query.where(Account.owner_id == owner)
    return await _page(session, query, purposes, after, limit)


async def of_owner(
    session: Session, owner: UUID, purposes: Collection[str], after: Key | None, limit: int
) -> Sequence[Account]:
    """Read the accounts of an owner, in the order of their key."""
    query = select(Account).where(Account.owner_id == owner)
    return await _page(session, query, purposes, after, limit)


async def _page(
    session: Session, query: object, purposes: Collection[str], after: Key | None, limit: int
) -> Sequence[Account]:
    key = (col(Account.owner_id), col(Account.purpose), col(Account.unit_id))
    page = query.where(col(Account.purpose).in_(purposes)).order_by(*key).limit(limit)  # type: ignore[attr-defined]
    if after is not None:
        page = page.where(tuple_(*key) > after)
    return list(await session.exec(page))


async def many(session: Session, ids: Collection[int]) -> dict[int, Account]:
    """Read accounts by id."""
    rows = await session.exec(select(Account).where(col(Account.id).in_(ids)))
    return {one.id: one for one in rows}


async def entries(
    session: Session, account_id: int, first: int, last: int
) -> Sequence[tuple[int, Transfer]]:
    """Read the transfers with the numbers ``first`` to ``last``, newest first, by number."""
    came = select(Transfer).where(
        Transfer.to_account_id == account_id, col(Transfer.to_number).between(first, last)
    )
    went = select(Transfer).where(
        Transfer.from_account_id == account_id, col(Transfer.from_number).between(first, last)
    )
    found = [(one.to_number, one) for one in await session.exec(came)]
    found += [(one.from_number, one) for one in await session.exec(went)]
    return sorted(found, key=lambda one: -one[0])


async def paths(session: Session, orgs: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """Read path and name of organisations."""
    rows = await session.exec(select(Org.id, Org.path, Org.name).where(col(Org.id).in_(orgs)))
    return {org: (path, name) for org, path, name in rows}


async def merchants(
    session: Session, merchants: Collection[UUID]
) -> dict[UUID, tuple[UUID, str, str]]:
    """Read organisation, its path, and name of merchants."""
    query = select(Merchant.id, Org.id, Org.path, Merchant.name).join(
        Org, col(Org.id) == col(Merchant.org_id)
    )
    rows = await session.exec(query.where(col(Merchant.id).in_(merchants)))
    return {merchant: (org, path, name) for merchant, org, path, name in rows}


async def transfer(session: Session, transfer_id: UUID) -> Transfer | None:
    return await session.get(Transfer, transfer_id)


async def closing(session: Session, transfer_id: UUID) -> Transfer | None:
    """Read the transfer that settles another one."""
    return (await session.exec(select(Transfer).where(Transfer.closes_id == transfer_id))).first()


async def of_source(
    session: Session, owner: UUID, source: tuple[str, UUID], limit: int
) -> Sequence[Transfer]:
    """Read the transfers of one business fact on the accounts of a person, oldest first.

    There is no index by source; a person's accounts have few transfers.
    """
    mine = [one.id for one in await session.exec(select(Account).where(Account.owner_id == owner))]
    is_same = (Transfer.source_type == source[0], Transfer.source_id == source[1])
    came = select(Transfer).where(col(Transfer.to_account_id).in_(mine), *is_same)
    went = select(Transfer).where(col(Transfer.from_account_id).in_(mine), *is_same)
    found = {one.id: one for query in (came, went) for one in await session.exec(query)}
    return sorted(found.values(), key=lambda one: (one.created_at, one.id))[:limit]
