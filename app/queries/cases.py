"""SQL of cases."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlmodel import col, func, select

from app.core.db import Session
from app.models.cases import OPEN, Case, CaseEntry, CaseKind
from app.models.people import Person


async def subject_of(session: Session, case_id: UUID, kind: CaseKind) -> UUID | None:
    """Read the subject of a case of this kind; the case itself is read later, under its lock."""
    query = select(Case.subject_id).where(Case.id == case_id, Case.kind == kind)
    return (await session.exec(query)).first()


async def lock_of(session: Session, kind: CaseKind, subject_id: UUID, opener: UUID) -> Case | None:
    """Lock the case that a person has opened about a subject; at most one of each kind."""
    query = select(Case).filter_by(kind=kind, subject_id=subject_id, created_by=opener)
    return (await session.exec(query.with_for_update())).first()


async def lock_open(session: Session, kind: CaseKind, subject_id: UUID) -> Sequence[Case]:
    """Lock the open cases about a subject."""
    query = (
        select(Case)
        .where(Case.kind == kind, Case.subject_id == subject_id, col(Case.state).in_(OPEN))
        .order_by(col(Case.id))
        .with_for_update()
    )
    return (await session.exec(query)).all()


async def open_by(
    session: Session, kind: CaseKind, people: Sequence[UUID]
) -> Sequence[tuple[UUID, UUID]]:
    """Read subjects and openers of the open cases of a kind that people opened."""
    query = (
        select(Case.subject_id, Case.created_by)
        .where(col(Case.created_by).in_(people), Case.kind == kind, col(Case.state).in_(OPEN))
        .order_by(col(Case.subject_id), col(Case.created_by))
    )
    return (await session.exec(query)).all()


async def about(session: Session, kind: CaseKind, subjects: Collection[UUID]) -> Sequence[Case]:
    """Read the cases about several subjects, oldest first."""
    query = select(Case).where(Case.kind == kind, col(Case.subject_id).in_(subjects))
    return (await session.exec(query.order_by(col(Case.id)))).all()


async def count_open(session: Session, person: UUID, kind: CaseKind) -> int:
    """Lock a person and count their open cases; exact until this transaction ends."""
    # FOR NO KEY UPDATE: inserts that refer to the person do not wait.
    lock = select(Person.id).where(Person.id == person).with_for_update(key_share=True)
    await session.exec(lock)
    query = select(func.count()).where(
        Case.created_by == person, Case.kind == kind, col(Case.state).in_(OPEN)
    )
    return (await session.exec(query)).one()


async def enter(session: Session, entry: CaseEntry) -> None:
    session.add(entry)
    await session.flush()
