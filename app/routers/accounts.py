"""Accounts of the ledger and their transfers, for administrators and auditors of a subtree."""

from typing import Annotated

from fastapi import Path, Query

from app.api import exports
from app.api.access import AUDITOR, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.ledger import Purpose
from app.schemas.accounts import AccountEntryOut, AccountOut
from app.schemas.base import Day, Id
from app.services.accounts import entries, reading
from app.services.accounts.reading import AccountNotFound
from app.services.orgs import OrgNotFound

ABOUT = Bilingual(
    "账本账户与明细：组织、商户、公益银行与居民",
    "Accounts of the ledger and their transfers: organisations, merchants, funds, people",
)
router = Router(prefix="/ledger/accounts", tags=["accounts"], about=ABOUT)
READ = allow(AUDITOR, OrgNotFound, AccountNotFound)
AccountId = Annotated[
    str, Path(description="Number of the account.", json_schema_extra={"format": "int64"})
]
OwnerQuery = Annotated[
    Id | None,
    Query(description="An organisation, a merchant or a person; people are found by this alone."),
]
PurposeQuery = Annotated[Purpose | None, Query(description="Only accounts for this; else all.")]
SinceQuery = Annotated[Day | None, Query(description="The first day, in Asia/Shanghai.")]
UntilQuery = Annotated[Day | None, Query(description="The last day, in Asia/Shanghai.")]


@router.get("", operation_id="listAccounts", **allow(AUDITOR, OrgNotFound))
async def list_accounts(
    tx: Tx,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Id,
    owner_id: OwnerQuery = None,
    account_purpose: PurposeQuery = None,
) -> Page[AccountOut]:
    """Return accounts of organisations and merchants of a subtree, or those of one owner.

    Accounts of a person leave an entry in the audit trail.
    """
    return await reading.browse(tx, person_id, org_id, owner_id, account_purpose, page)


async def _accounts(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Id,
    owner_id: OwnerQuery = None,
    account_purpose: PurposeQuery = None,
) -> Page[AccountOut]:
    return await reading.browse_of_subtree(tx, person_id, org_id, owner_id, account_purpose, page)


exports.beside(router, list_accounts, Bilingual("账本账户", "Ledger accounts"), rows=_accounts)


@router.get("/{account_id}", operation_id="getAccount", **READ)
async def get_account(
    account_id: AccountId, tx: Tx, person_id: CurrentPerson, org_id: Id
) -> AccountOut:
    """Return an account of the subtree of ``org_id``; that of a person leaves an audit entry."""
    return await reading.read(tx, person_id, org_id, account_id)


@router.get("/{account_id}/transfers", operation_id="listAccountTransfers", **READ)
async def list_account_transfers(
    account_id: AccountId,
    tx: Tx,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Id,
    since: SinceQuery = None,
    until: UntilQuery = None,
) -> Page[AccountEntryOut]:
    """Return the transfers of an account, newest first, each with the balance after it.

    Of a person's account those of other subtrees are shown without reason, source and other side,
    and each page leaves an entry in the audit trail.
    """
    return await entries.browse(tx, person_id, org_id, account_id, (since, until), page)


async def _account_transfers(
    account_id: AccountId,
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Id,
    since: SinceQuery = None,
    until: UntilQuery = None,
) -> Page[AccountEntryOut]:
    return await entries.browse(
        tx, person_id, org_id, account_id, (since, until), page, for_file=True
    )


exports.beside(
    router,
    list_account_transfers,
    Bilingual("账户明细", "Transfers of an account"),
    rows=_account_transfers,
)
