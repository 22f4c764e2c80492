"""SQL of deductions."""

from datetime import datetime

from sqlmodel import select

from app.core.db import Session
from app.models.deductions import Deduction


async def evidence_before(
    session: Session, deduction: Deduction
) -> list[tuple[dict[str, str], datetime]]:
    """Read the evidence and moment of the person's earlier deductions by the same rule.

    Exact while the person's account is locked by this transaction.
    """
    query = select(Deduction.evidence, Deduction.created_at).where(
        Deduction.person_id == deduction.person_id,
        Deduction.unit_id == deduction.unit_id,
        Deduction.rule_key == deduction.rule_key,
    )
    return [(dict(evidence), at) for evidence, at in await session.exec(query)]
