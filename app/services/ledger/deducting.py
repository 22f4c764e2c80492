"""Posting deductions: the points that are taken, and given back when an appeal is granted."""

from dataclasses import replace
from datetime import datetime

from app.core.db import Session
from app.core.errors import unwrap
from app.core.ids import new_id
from app.models.deductions import Deduction
from app.models.ledger import Kind, Purpose
from app.services.ledger import posting
from app.services.ledger.types import AccountKey, Posting
from app.services.policies.rules import PointsPolicy


async def lock(tx: Session, deduction: Deduction, at: datetime) -> posting.Locked:
    """Lock both accounts; set the points: those asked, or all available ones if they are fewer."""
    available = _available(deduction)
    locked = await posting.lock(tx, [available, _fund(deduction)], at)
    spendable = await posting.spendable(tx, locked[available].id, at)
    deduction.points = min(deduction.points_asked, spendable)
    return locked


async def take(tx: Session, deduction: Deduction, locked: posting.Locked, at: datetime) -> None:
    """Post a deduction that is recorded; nothing if the person had no points."""
    if deduction.points:
        reason = f"扣分：{deduction.title}"
        payer, payee = _available(deduction), _fund(deduction)
        entry = _posting(deduction, payer, payee, Kind.deduction, reason)
        unwrap(await posting.post(tx, [entry], at, locked))


async def give_back(tx: Session, deduction: Deduction, policy: PointsPolicy, at: datetime) -> None:
    """Give the points back, to the lots that they came from."""
    if deduction.points:
        reason = f"申诉成立：{deduction.title}"
        payer, payee = _fund(deduction), _available(deduction)
        entry = _posting(deduction, payer, payee, Kind.restitution, reason)
        entry = replace(entry, revived_until=policy.revived_until(at))
        unwrap(await posting.post(tx, [entry], at))


def _available(deduction: Deduction) -> AccountKey:
    return AccountKey(deduction.person_id, Purpose.available, deduction.unit_id)


def _fund(deduction: Deduction) -> AccountKey:
    """Return the fund. Never a limited budget: a granted appeal must be able to return points."""
    return AccountKey(deduction.org_id, Purpose.fund, deduction.unit_id)


def _posting(
    deduction: Deduction, payer: AccountKey, payee: AccountKey, kind: Kind, reason: str
) -> Posting:
    back = kind is Kind.restitution
    return Posting(
        id=new_id() if back else deduction.id,
        payer=payer,
        payee=payee,
        amount=deduction.points,
        kind=kind,
        reason=reason,
        reference=f"{kind}:{deduction.id}",
        source_type="deduction",
        source_id=deduction.id,
        org_id=deduction.org_id,
        closes_id=deduction.id if back else None,
    )
