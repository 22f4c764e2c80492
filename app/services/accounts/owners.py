"""Who owns an account of the ledger: its purpose tells which kind of owner."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from app.core.db import Session
from app.models.ledger import Account, Purpose
from app.models.people import Role
from app.queries import accounts as queries
from app.queries import people as people_queries
from app.schemas.accounts import OwnerKind
from app.services import people

READERS = (Role.auditor, Role.administrator)
ADMINISTRATORS = (Role.administrator,)
OF_PEOPLE = (Purpose.available, Purpose.pending, Purpose.held, Purpose.debt)


@dataclass(frozen=True, slots=True)
class Owner:
    """``org_id`` and ``path``: of the organisation, also of a merchant's; None for a person."""

    kind: OwnerKind
    id: UUID
    name: str
    org_id: UUID | None
    path: str | None


def kind_of(purpose: str) -> OwnerKind:
    """Return what owns accounts of a purpose."""
    if purpose in OF_PEOPLE:
        return OwnerKind.person
    return OwnerKind.merchant if purpose == Purpose.takings else OwnerKind.org


async def owners(tx: Session, accounts: Iterable[Account], *, masks: bool) -> dict[UUID, Owner]:
    """Return the owners of accounts by id, ``masks``: with the names of people masked."""
    ids: dict[OwnerKind, set[UUID]] = {kind: set() for kind in OwnerKind}
    for one in accounts:
        ids[kind_of(one.purpose)].add(one.owner_id)
    found: dict[UUID, Owner] = {}
    for org, (path, name) in (await queries.paths(tx, ids[OwnerKind.org])).items():
        found[org] = Owner(OwnerKind.org, org, name, org, path)
    at_orgs = await queries.merchants(tx, ids[OwnerKind.merchant])
    for merchant, (org, path, name) in at_orgs.items():
        found[merchant] = Owner(OwnerKind.merchant, merchant, name, org, path)
    names = await people_queries.names(tx, sorted(ids[OwnerKind.person]))
    for person, named in names.items():
        shown = people.masked(named.display_name) if masks else named.display_name
        found[person] = Owner(OwnerKind.person, person, shown, None, None)
    return found


async def masks(tx: Session, caller: UUID, org_path: str) -> bool:
    """Whether the caller reads as an auditor, for whom the names of people are masked."""
    return not await people.holds(tx, caller, ADMINISTRATORS, org_path)
