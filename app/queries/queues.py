"""SQL of queues: how much waits for a decision of a person, and since when."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func
from sqlmodel import col, select

from app.core.db import Session
from app.models.awards import Award, AwardReview, AwardState
from app.models.cases import OPEN, Case, CaseKind
from app.models.deductions import Deduction, DeductionState
from app.models.flags import Flag, FlagState
from app.models.orgs import Org
from app.models.people import RoleGrant
from app.queries.people import in_force

Waiting = tuple[int, datetime | None]


async def places(session: Session, person_id: UUID, roles: Collection[str]) -> Sequence[Org]:
    """Read the organisations at which a person holds one of the roles, top down."""
    held = select(RoleGrant.org_id).where(
        RoleGrant.person_id == person_id, col(RoleGrant.role).in_(roles), in_force()
    )
    query = select(Org).where(col(Org.id).in_(held)).order_by(col(Org.path))
    return (await session.exec(query)).all()


async def proposals(session: Session, org_path: str, person_id: UUID) -> Waiting:
    """Count the awards of a subtree that the person may review."""
    query = (
        select(func.count(), func.min(Award.awarded_at))
        .select_from(Award)
        .join(Org, col(Org.id) == col(Award.org_id))
        .where(_below(org_path), *_no_part(person_id))
        .where(Award.state == AwardState.pending, Award.reviews_needed > 0)
        .where(col(Award.release_at).is_(None))
    )
    return (await session.exec(query)).one()


async def objections(session: Session, org_path: str, person_id: UUID) -> Waiting:
    """Count the open objections to awards of a subtree that the person may decide."""
    query = (
        select(func.count(), func.min(Case.created_at))
        .select_from(Case)
        .join(Award, col(Award.id) == col(Case.subject_id))
        .join(Org, col(Org.id) == col(Award.org_id))
        .where(_below(org_path), *_no_part(person_id))
        .where(Award.state == AwardState.notice, Case.kind == CaseKind.objection)
        .where(col(Case.state).in_(OPEN), Case.created_by != person_id)
    )
    return (await session.exec(query)).one()


async def appeals(session: Session, org_path: str, person_id: UUID) -> Waiting:
    """Count the open appeals against deductions of a subtree that the person may decide."""
    query = (
        select(func.count(), func.min(Case.created_at))
        .select_from(Case)
        .join(Deduction, col(Deduction.id) == col(Case.subject_id))
        .join(Org, col(Org.id) == col(Deduction.org_id))
        .where(_below(org_path), Case.kind == CaseKind.appeal, col(Case.state).in_(OPEN))
        .where(Deduction.state == DeductionState.appealed)
        .where(Deduction.created_by != person_id, Deduction.person_id != person_id)
    )
    return (await session.exec(query)).one()


async def flags(session: Session, org_path: str, person_id: UUID) -> Waiting:
    """Count the open flags of a subtree that the person may decide."""
    query = (
        select(func.count(), func.min(Flag.created_at))
        .select_from(Flag)
        .join(Org, col(Org.id) == col(Flag.org_id))
        .where(_below(org_path), Flag.state == FlagState.open, Flag.person_id != person_id)
    )
    return (await session.exec(query)).one()


def _below(org_path: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = col(Org.path).startswith(org_path, autoescape=True)
    return found


def _no_part(person_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """The person neither gets, proposed nor reviewed the award."""
    reviewed = exists().where(
        col(AwardReview.award_id) == col(Award.id), col(AwardReview.reviewer_id) == person_id
    )
    return (
        col(Award.person_id) != person_id,
        col(Award.proposed_by).is_distinct_from(person_id),
        ~reviewed,
    )
