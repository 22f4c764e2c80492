"""API schemas of a transfer of the ledger, for auditors. Amounts are whole units."""

from uuid import UUID

from pydantic import Field

from app.models.ledger import Kind, Purpose
from app.schemas.accounts import AccountNumber, OwnerKind
from app.schemas.base import CreatedAt, Out
from app.schemas.ledger import SourceType
from app.schemas.seals import SealOut


class TransferSideOut(Out):
    """One of the two accounts of a transfer, with its number and balance there."""

    account_id: AccountNumber
    owner_kind: OwnerKind = Field(description="What the owner is.")
    owner_id: UUID = Field(description="Id of the owner, of that kind.")
    owner_name: str = Field(description="Name of the owner; that of a person masked for auditors.")
    purpose: Purpose = Field(description="What the account is for.")
    number: int = Field(
        description="Number of the transfer in this account: 1, 2, 3 … without a gap."
    )
    balance_after: int = Field(description="Balance of the account after it, in the unit.")


class TransferSourceOut(Out):
    """What caused a transfer. ``href``: where the API shows it; null if it has no page."""

    type: SourceType = Field(description="Noun of what caused it, such as `award`.")
    id: UUID = Field(description="Its id, of that noun.")
    href: str | None = Field(
        description="Path in the API at which it is shown; null: it has no page."
    )


class RelatedTransferOut(Out):
    """Another transfer of the same business fact."""

    id: UUID = Field(description="Id of the transfer.")
    kind: Kind = Field(description="Kind of the transfer.")
    amount: int = Field(description="Amount moved, in the unit; positive.")
    created_at: CreatedAt


class TransferOut(Out):
    """A transfer: what it moved, why, and whether it is sealed.

    ``closes_id``: the transfer that this one settles. ``reverses``: what it reverses or refunds,
    null for other kinds. ``reversed_by``: reversals, clawbacks, refunds and restitutions of it,
    whole or in part, oldest first. ``seal``: that of its day, null until the day is sealed.
    """

    id: UUID = Field(description="Id of the transfer.")
    kind: Kind = Field(description="Kind of the transfer.")
    amount: int = Field(description="Amount moved, in the unit; positive.")
    unit: str = Field(description="Code of the unit, such as `points` or `minutes`.")
    payer: TransferSideOut = Field(description="The account that paid.")
    payee: TransferSideOut = Field(description="The account that received.")
    reason: str = Field(description="Why, in words.")
    reference: str = Field(description="The business fact, unique for ever.")
    source: TransferSourceOut = Field(description="What caused it.")
    org_id: UUID = Field(description="Id of the organisation that it belongs to.")
    closes_id: UUID | None = Field(description="The transfer that this one settles; null for none.")
    reverses: RelatedTransferOut | None = Field(
        description="What it reverses or refunds; null for other kinds."
    )
    reversed_by: list[RelatedTransferOut] = Field(
        description="What reversed it, whole or in part, oldest first."
    )
    seal: SealOut | None = Field(description="The seal of its day; null until the day is sealed.")
    created_at: CreatedAt
