"""SQL of deductions."""

from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.deductions import Deduction
from app.models.orgs import Org


async def evidence_before(session: Session, deduction: Deduction) -> list[dict[str, str]]:
    """Read the evidence of the person's earlier deductions by the same rule.

    Exact while the person's account is locked by this transaction.
    """
    query = select(Deduction.evidence).where(
        Deduction.person_id == deduction.person_id,
        Deduction.unit_id == deduction.unit_id,
        Deduction.rule_key == deduction.rule_key,
    )
    return [dict(evidence) for evidence in await session.exec(query)]


async def insert(session: Session, deduction: Deduction) -> None:
    session.add(deduction)
    await session.flush()


async def lock(session: Session, deduction_id: UUID) -> Deduction | None:
    query = select(Deduction).where(Deduction.id == deduction_id).with_for_update()
    return (await session.exec(query)).first()


async def save(session: Session, deduction: Deduction) -> None:
    """Write what has changed of a locked deduction."""
    session.add(deduction)
    await session.flush()


async def of_person(
    session: Session, person: UUID, *, before: UUID | None, limit: int
) -> list[Deduction]:
    """Read a person's deductions, newest first."""
    query = select(Deduction).where(Deduction.person_id == person)
    query = query.order_by(col(Deduction.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(Deduction.id) < before)
    return list(await session.exec(query))


async def of_subtree(
    session: Session, org_path: str, *, state: str | None, before: UUID | None, limit: int
) -> list[Deduction]:
    """Read the deductions of a subtree, newest first."""
    query = select(Deduction).join(Org, col(Org.id) == col(Deduction.org_id))
    query = query.where(col(Org.path).startswith(org_path, autoescape=True))
    query = query.order_by(col(Deduction.id).desc()).limit(limit)
    if state is not None:
        query = query.where(Deduction.state == state)
    if before is not None:
        query = query.where(col(Deduction.id) < before)
    return list(await session.exec(query))
