"""API schemas of a transfer of the ledger, for auditors. Amounts are whole units."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.models.ledger import Kind, Purpose
from app.schemas.accounts import AccountNumber, OwnerKind
from app.schemas.base import Out
from app.schemas.seals import SealOut


class TransferSideOut(Out):
    """One of the two accounts of a transfer, with its number and balance there."""

    account_id: AccountNumber
    owner_kind: OwnerKind
    owner_id: UUID
    owner_name: str = Field(description="Name of the owner; that of a person masked for auditors.")
    purpose: Purpose
    number: int
    balance_after: int


class TransferSourceOut(Out):
    """What caused a transfer. ``href``: where the API shows it; null if it has no page."""

    type: str
    id: UUID
    href: str | None


class RelatedTransferOut(Out):
    """Another transfer of the same business fact."""

    id: UUID
    kind: Kind
    amount: int
    created_at: datetime


class TransferOut(Out):
    """A transfer: what it moved, why, and whether it is sealed.

    ``closes_id``: the transfer that this one settles. ``reverses``: what it reverses or refunds,
    null for other kinds. ``reversed_by``: reversals, clawbacks, refunds and restitutions of it,
    whole or in part, oldest first. ``seal``: that of its day, null until the day is sealed.
    """

    id: UUID
    kind: Kind
    amount: int
    unit: str = Field(description="Code of the unit, such as `points` or `minutes`.")
    payer: TransferSideOut
    payee: TransferSideOut
    reason: str
    reference: str = Field(description="The business fact, unique for ever.")
    source: TransferSourceOut
    org_id: UUID
    closes_id: UUID | None
    reverses: RelatedTransferOut | None
    reversed_by: list[RelatedTransferOut]
    seal: SealOut | None
    created_at: datetime
