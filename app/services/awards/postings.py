"""What an award moves: its points, hours of service, and what its person owes."""

from datetime import datetime
from uuid import UUID

from app.core.ids import new_id
from app.models.awards import Award
from app.models.ledger import Kind, Purpose
from app.queries.awards import NewAward
from app.services.ledger import MINUTES, AccountKey, Locked, Posting
from app.services.policies import Policy


def hours_accounts(org_id: UUID, person_id: UUID) -> tuple[AccountKey, AccountKey]:
    """Return where hours of service come from, and where they go to."""
    return (
        AccountKey(org_id, Purpose.fund, MINUTES),
        AccountKey(person_id, Purpose.available, MINUTES),
    )


def award_posting(
    award: Award | NewAward, payer: AccountKey, payee: AccountKey, policy: Policy, at: datetime
) -> Posting:
    """Post the points of an award. Available ones make a lot; pending ones do when released."""
    available = payee.purpose is Purpose.available
    return Posting(
        id=award.id,
        payer=payer,
        payee=payee,
        amount=award.points,
        kind=Kind.award,
        reason=award.title,
        reference=award.reference,
        source_type="award",
        source_id=award.id,
        org_id=award.org_id,
        expires_at=policy.lot_expiry(at) if available else None,
    )


def minutes_posting(award: Award | NewAward, title: str) -> Posting:
    """Post the hours of an available award; those of a pending one wait for its release."""
    payer, payee = hours_accounts(award.org_id, award.person_id)
    return Posting(
        id=minutes_id(award.id),
        payer=payer,
        payee=payee,
        amount=award.minutes,
        kind=Kind.award,
        reason=title,
        reference=f"minutes:{award.id}",
        source_type="award",
        source_id=award.id,
        org_id=award.org_id,
    )


def minutes_id(award_id: UUID) -> UUID:
    """Derive the id of the transfer of an award's minutes from the award's, to find it again."""
    return UUID(int=award_id.int ^ 1)


def debt_of(person_id: UUID, unit_id: int) -> AccountKey:
    return AccountKey(person_id, Purpose.debt, unit_id)


class Debts:
    """What people owe from reversals; points that become available pay it, first thing."""

    def __init__(self, locked: Locked) -> None:
        self._owed = {
            key: -row.balance for key, row in locked.items() if key.purpose is Purpose.debt
        }

    def repay(self, award: Award | NewAward) -> list[Posting]:
        """Return the posting that pays from an award which has just become available, if any."""
        debt = debt_of(award.person_id, award.unit_id)
        amount = min(self._owed.get(debt, 0), award.points)
        if amount == 0:
            return []
        self._owed[debt] -= amount
        posting = Posting(
            id=new_id(),
            payer=AccountKey(award.person_id, Purpose.available, award.unit_id),
            payee=debt,
            amount=amount,
            kind=Kind.repayment,
            reason="偿还冲正欠分",
            reference=f"repayment:{award.id}",
            source_type="award",
            source_id=award.id,
            org_id=award.org_id,
        )
        return [posting]
