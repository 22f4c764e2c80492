"""A transfer of the ledger, as administrators and auditors look it up by its id."""

from collections.abc import Mapping
from uuid import UUID

from app.core.clock import local_date
from app.core.db import Session
from app.models.ledger import Account, Kind, Purpose, Transfer
from app.queries import accounts as account_queries
from app.queries import organizing as organizing_queries
from app.queries.ledger import sealing as sealing_queries
from app.schemas.accounts import OwnerKind
from app.schemas.transfers import (
    RelatedTransferOut,
    TransferOut,
    TransferSideOut,
    TransferSourceOut,
)
from app.services import audit
from app.services.accounts import owners, reading
from app.services.accounts.owners import Owner
from app.services.awards.reversal import TransferNotFound
from app.services.ledger import seals
from app.services.policies import naming

MOST_RELATED = 100
REVERSING = (Kind.reversal, Kind.clawback, Kind.refund, Kind.restitution)
# Where the API shows what caused a transfer, by its noun; ``{org}`` is the transfer's.
PAGES = {
    "receipt": "/api/v1/orgs/{org}/fund/receipts/{id}",
    "award": "/api/v1/awards?org_id={org}",
    "deduction": "/api/v1/deductions?org_id={org}",
}


async def read(tx: Session, caller: UUID, transfer_id: UUID) -> TransferOut:
    """Return a transfer; with a person's account in it, write that to the audit trail.

    The caller is an administrator or auditor of the transfer's organisation, or of one of its two
    owners. Names of people are masked for auditors. Raises TransferNotFound.
    """
    transfer = await account_queries.transfer(tx, transfer_id)
    if transfer is None:
        raise TransferNotFound
    sides = await account_queries.many(tx, [transfer.from_account_id, transfer.to_account_id])
    paths = await _paths(tx, transfer, await owners.owners(tx, sides.values(), masks=True))
    if not await _reaches(tx, caller, owners.READERS, paths):
        raise TransferNotFound
    hidden = not await _reaches(tx, caller, owners.ADMINISTRATORS, paths)
    known = await owners.owners(tx, sides.values(), masks=hidden)
    if any(one.kind is OwnerKind.person for one in known.values()):
        subject = ("transfer", transfer.id)
        await audit.write_about(tx, caller, "viewed", subject, transfer.org_id)
    return await _to_out(tx, transfer, sides, known)


async def _paths(tx: Session, transfer: Transfer, known: Mapping[UUID, Owner]) -> list[str]:
    """Return the paths of the organisations that a transfer concerns."""
    found = await account_queries.paths(tx, [transfer.org_id])
    mine = [path for path, _ in found.values()]
    return mine + [one.path for one in known.values() if one.path is not None]


async def _reaches(tx: Session, caller: UUID, roles: tuple[str, ...], paths: list[str]) -> bool:
    held = await organizing_queries.paths_of(tx, caller, roles)
    return any(path.startswith(one) for path in paths for one in held)


async def _to_out(
    tx: Session, transfer: Transfer, sides: Mapping[int, Account], known: Mapping[UUID, Owner]
) -> TransferOut:
    payer, payee = sides[transfer.from_account_id], sides[transfer.to_account_id]
    related = await _related(tx, transfer, [payer, payee])
    sealed = await sealing_queries.seal_of(tx, local_date(transfer.created_at))
    reverses = _first(transfer, related) if transfer.kind in REVERSING else None
    reversing = [one for one in related if one.kind in REVERSING]
    return TransferOut(
        id=transfer.id,
        kind=Kind(transfer.kind),
        amount=transfer.amount,
        unit=(await reading.unit_codes(tx))[transfer.unit_id],
        payer=_side(payer, known, transfer.from_number, transfer.from_balance),
        payee=_side(payee, known, transfer.to_number, transfer.to_balance),
        reason=(await naming.said(tx, [transfer.reason]))[0],
        reference=transfer.reference,
        source=_source(transfer),
        org_id=transfer.org_id,
        closes_id=transfer.closes_id,
        reverses=reverses,
        reversed_by=[] if transfer.kind in REVERSING else [_short(one) for one in reversing],
        seal=seals.to_out(sealed) if sealed is not None else None,
        created_at=transfer.created_at,
    )


async def _related(tx: Session, transfer: Transfer, sides: list[Account]) -> list[Transfer]:
    """Return other transfers of the same business fact in the same unit, oldest first.

    Found on the accounts of the person among both owners; without one, what closes the transfer
    and what it closes.
    """
    people = {one.owner_id for one in sides if owners.kind_of(one.purpose) is OwnerKind.person}
    if people:
        source = (transfer.source_type, transfer.source_id)
        found = await account_queries.of_source(tx, people.pop(), source, MOST_RELATED)
    else:
        closing = await account_queries.closing(tx, transfer.id)
        closed = transfer.closes_id and await account_queries.transfer(tx, transfer.closes_id)
        found = [one for one in (closed, closing) if one]
    return [one for one in found if one.id != transfer.id and one.unit_id == transfer.unit_id]


def _first(transfer: Transfer, related: list[Transfer]) -> RelatedTransferOut | None:
    """Return what a transfer reverses: the first of its business fact that reverses nothing."""
    found = next((one for one in related if one.kind not in REVERSING), None)
    return _short(found) if found is not None and found.id != transfer.id else None


def _short(one: Transfer) -> RelatedTransferOut:
    return RelatedTransferOut(
        id=one.id, kind=Kind(one.kind), amount=one.amount, created_at=one.created_at
    )


def _side(
    account: Account, known: Mapping[UUID, Owner], number: int, balance: int
) -> TransferSideOut:
    owner = known.get(account.owner_id)
    return TransferSideOut(
        account_id=str(account.id),
        owner_kind=owners.kind_of(account.purpose),
        owner_id=account.owner_id,
        owner_name=owner.name if owner is not None else "",
        purpose=Purpose(account.purpose),
        number=number,
        balance_after=balance,
    )


def _source(transfer: Transfer) -> TransferSourceOut:
    page = PAGES.get(transfer.source_type)
    href = page.format(org=transfer.org_id, id=transfer.source_id) if page else None
    return TransferSourceOut(type=transfer.source_type, id=transfer.source_id, href=href)
