"""API schemas of ledger accounts and their transfers, for auditors. Amounts are whole units."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.models.ledger import Kind, Purpose
from app.schemas.base import CreatedAt, Out
from app.schemas.ledger import SourceType


class OwnerKind(StrEnum):
    person = "person"
    org = "org"
    merchant = "merchant"


# Of exports and, with a capital, of statements.
KINDS = {
    Kind.award: ("发放", "award"),
    Kind.release: ("生效", "release"),
    Kind.hold: ("兑换预留", "held"),
    Kind.unhold: ("预留退回", "hold ended"),
    Kind.collect: ("兑换领取", "collected"),
    Kind.charge: ("消费", "charge"),
    Kind.refund: ("退款", "refund"),
    Kind.reversal: ("冲正", "reversal"),
    Kind.clawback: ("追回", "clawback"),
    Kind.repayment: ("偿还", "repayment"),
    Kind.expiry: ("到期", "expiry"),
    Kind.deduction: ("扣减", "deduction"),
    Kind.restitution: ("扣减退还", "restitution"),
    Kind.donation: ("捐赠", "donation"),
    Kind.budget: ("预算拨入", "budget"),
    Kind.merge: ("账号合并", "merge"),
    Kind.exchange: ("积分互换", "exchange"),
}
PURPOSES = {
    Purpose.available: ("可用积分", "available"),
    Purpose.pending: ("待到账积分", "pending"),
    Purpose.held: ("预留积分", "held"),
    Purpose.debt: ("欠分", "debt"),
    Purpose.fund: ("公益银行", "fund"),
    Purpose.budget: ("公益银行（限额）", "limited fund"),
    Purpose.income: ("收入来源", "income"),
    Purpose.expired: ("到期积分", "expired"),
    Purpose.takings: ("商户收入", "takings"),
    Purpose.clearing: ("互换清算", "clearing"),
}
OWNERS = {
    OwnerKind.person: ("居民", "person"),
    OwnerKind.org: ("组织", "organisation"),
    OwnerKind.merchant: ("商户", "merchant"),
}
VALUES = {
    Kind: KINDS,
    Purpose: PURPOSES,
    OwnerKind: OWNERS,
    "direction": {"in": ("收入", "in"), "out": ("支出", "out")},
}
HEADINGS = {
    "amount": Bilingual("数额", "Amount"),
    "balance": Bilingual("余额", "Balance"),
    "balance_after": Bilingual("变动后余额", "Balance after"),
    "direction": Bilingual("方向", "Direction"),
    "floor": Bilingual("最低余额", "Lowest balance"),
    "last_number": Bilingual("最后一笔序号", "Last number"),
    "number": Bilingual("序号", "Number"),
    "purpose": Bilingual("账户", "Account"),
    "reference": Bilingual("业务编号", "Reference"),
    "source_type": Bilingual("来源类型", "Source type"),
    "source_id": Bilingual("来源编号", "Source id"),
    "closes_id": Bilingual("所结清的流水", "Transfer that it settles"),
    "other_kind": Bilingual("对方类型", "Kind of the other side"),
    "other_id": Bilingual("对方编号", "Id of the other side"),
    "other_name": Bilingual("对方", "Other side"),
    "other_purpose": Bilingual("对方账户", "Account of the other side"),
    "is_withheld": Bilingual("范围外不显示", "Withheld"),
    "owner_kind": Bilingual("所有者类型", "Kind of owner"),
    "owner_id": Bilingual("所有者编号", "Owner id"),
    "owner_name": Bilingual("所有者", "Owner"),
}
AccountNumber = Annotated[str, Field(description="Number of the account in the ledger.")]


class AccountOut(Out):
    """An account: what one owner has for one purpose, in one unit."""

    id: AccountNumber
    owner_kind: OwnerKind = Field(description="What the owner is.")
    owner_id: UUID = Field(description="Id of the owner, of that kind.")
    owner_name: PersonName = Field(
        description="Name of the owner; that of a person masked for auditors."
    )
    purpose: Purpose = Field(description="What the account is for.")
    unit: str = Field(description="Code of the unit, such as `points` or `minutes`.")
    balance: int = Field(description="Balance now, in the unit.")
    floor: int | None = Field(description="The lowest balance allowed; null for none.")
    last_number: int = Field(description="Number of its newest transfer; 0 before the first.")


class AccountEntryOut(Out):
    """A transfer as one account has it: its number there, and the balance after it.

    ``is_withheld``: it belongs to a person and to an organisation outside of the subtree. Amount,
    kind and balances are shown, the rest is null.
    """

    id: UUID | None = Field(description="Id of the transfer; null if withheld.")
    number: int = Field(description="1, 2, 3 … in each account, without a gap.")
    direction: Literal["in", "out"] = Field(
        description="`in`: the account received the amount; `out`: it paid."
    )
    amount: int = Field(description="Amount moved, in the unit; positive.")
    balance_after: int = Field(description="Balance of the account after it, in the unit.")
    kind: Kind = Field(description="Kind of the transfer.")
    reason: str | None = Field(description="Why, in words; null if withheld.")
    reference: str | None = Field(description="The business fact, unique for ever.")
    source_type: SourceType | None = Field(
        description="Noun of what caused it, such as `award`; null if withheld."
    )
    source_id: UUID | None = Field(
        description="Id of what caused it, of that noun; null if withheld."
    )
    org_id: UUID | None = Field(
        description="Id of the organisation that it belongs to; null if withheld."
    )
    closes_id: UUID | None = Field(description="The transfer that this one settles; null for none.")
    other_kind: OwnerKind = Field(description="What the owner of the other account is.")
    other_id: UUID | None = Field(description="Id of that owner; null if withheld.")
    other_name: str | None = Field(
        description="Name of that owner, of a person masked for auditors; null if withheld."
    )
    other_purpose: Purpose = Field(description="What the other account is for.")
    is_withheld: bool = Field(
        description="Whether it is of another subtree, so that only amounts and kinds are told."
    )
    created_at: CreatedAt
