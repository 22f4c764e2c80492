"""Postings of an award: its points and its hours of service."""

from datetime import datetime
from uuid import UUID

from app.core.ids import new_id
from app.models.awards import Award
from app.models.ledger import Kind, Purpose
from app.queries.awards.granting import NewAward
from app.services.ledger.types import MINUTES, AccountKey, Posting
from app.services.policies.rules import PointsPolicy


def hours_accounts(org_id: UUID, person_id: UUID) -> tuple[AccountKey, AccountKey]:
    """Return the accounts that hours of service come from and go to."""
    return (
        AccountKey(org_id, Purpose.fund, MINUTES),
        AccountKey(person_id, Purpose.available, MINUTES),
    )


def award_posting(
    award: Award | NewAward,
    payer: AccountKey,
    payee: AccountKey,
    policy: PointsPolicy,
    at: datetime,
) -> Posting:
    """Post the points of an award. Available points make a lot at once, pending ones on release."""
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
    """Post the hours of an award: with its points, or ``hours_at_once`` before them."""
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


def minutes_reversal(award: Award, owner: UUID, reason: str) -> Posting:
    """Reverse the posted hours of an award, which ``owner`` has now."""
    came_from, went_to = hours_accounts(award.org_id, owner)
    closes = minutes_id(award.id)
    return reversal_posting(
        award, (went_to, came_from), award.minutes, Kind.reversal, reason, closes
    )


def reversal_posting(
    award: Award,
    between: tuple[AccountKey, AccountKey],
    amount: int,
    kind: Kind,
    reason: str,
    closes: UUID | None,
) -> Posting:
    """Reverse what an award gave; once for each kind and unit."""
    payer, payee = between
    return Posting(
        id=new_id(),
        payer=payer,
        payee=payee,
        amount=amount,
        kind=kind,
        reason=reason,
        reference=f"{kind}:{award.id}:{payer.unit_id}",
        source_type="award",
        source_id=award.id,
        org_id=award.org_id,
        closes_id=closes,
    )


def pending_reversal(
    award: Award, fund: AccountKey, amount: int, reason: str, reference: str
) -> Posting:
    """Give points of an award that are still pending back to the fund that paid them."""
    return Posting(
        id=new_id(),
        payer=AccountKey(award.person_id, Purpose.pending, award.unit_id),
        payee=fund,
        amount=amount,
        kind=Kind.reversal,
        reason=reason,
        reference=reference,
        source_type="award",
        source_id=award.id,
        org_id=award.org_id,
    )


def minutes_id(award_id: UUID) -> UUID:
    """Derive the id of the transfer of an award's minutes from the id of the award."""
    return UUID(int=award_id.int ^ 1)
