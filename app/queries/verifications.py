"""SQL of verifications; all times are by the database's clock."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.orgs import Org
from app.models.people import RoleGrant
from app.models.verifications import Verification, VerificationState
from app.queries.people import in_force


async def holds_at_root(session: Session, person_id: UUID, roles: Collection[str]) -> bool:
    """Whether a person holds one of the roles at an organisation without another above it."""
    query = (
        select(RoleGrant.id)
        .join(Org, col(Org.id) == col(RoleGrant.org_id))
        .where(RoleGrant.person_id == person_id, col(RoleGrant.role).in_(roles), in_force())
        .where(col(Org.parent_id).is_(None))
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


async def add(session: Session, person_id: UUID) -> Verification | None:
    """Insert one that waits; None if another one waits or runs."""
    query = (
        insert(Verification)
        .values(created_by=person_id, state=VerificationState.waiting)
        .on_conflict_do_nothing(
            index_elements=[text("(true)")], index_where=text("ended_at IS NULL")
        )
        .returning(Verification)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def active(session: Session) -> Verification | None:
    """Read the one that waits or runs."""
    query = select(Verification).where(col(Verification.ended_at).is_(None))
    return (await session.exec(query)).first()


async def find(session: Session, verification_id: UUID) -> Verification | None:
    return await session.get(Verification, verification_id)


async def page(session: Session, before: UUID | None, limit: int) -> Sequence[Verification]:
    query = select(Verification).order_by(col(Verification.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(Verification.id) < before)
    return (await session.exec(query)).all()


async def claim(session: Session) -> UUID | None:
    """Begin the one that waits, if there is one and no other worker begins it."""
    waiting = (
        select(Verification.id)
        .where(Verification.state == VerificationState.waiting)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    begun = (
        update(Verification)
        .where(col(Verification.id) == waiting)
        .values(
            state=VerificationState.running,
            started_at=func.clock_timestamp(),
            beat_at=func.clock_timestamp(),
        )
        .returning(col(Verification.id))
    )
    return (await session.execute(begun)).scalar_one_or_none()


async def beat(session: Session, verification_id: UUID, step: str, done: int, total: int) -> bool:
    """Write that one still runs, and how far it is; False if it is no longer running."""
    values = {"step": step, "steps_done": done, "steps_total": total}
    return await _change(
        session, _is_running(verification_id), beat_at=func.clock_timestamp(), **values
    )


async def end(
    session: Session, verification_id: UUID, state: VerificationState, **result: Any
) -> bool:
    """Write the result of one that runs; False if it is no longer running."""
    return await _change(
        session,
        _is_running(verification_id),
        state=state,
        ended_at=func.clock_timestamp(),
        step=None,
        **result,
    )


async def interrupt(session: Session, silent: timedelta) -> list[UUID]:
    """End those that run without a beat for so long; return them."""
    is_silent = col(Verification.beat_at) < func.clock_timestamp() - silent
    query = (
        update(Verification)
        .where(col(Verification.state) == VerificationState.running, is_silent)
        .values(state=VerificationState.interrupted, ended_at=func.clock_timestamp())
        .returning(col(Verification.id))
    )
    return list((await session.execute(query)).scalars())


async def forget(session: Session, before: datetime) -> None:
    """Delete those that ended before a moment."""
    await session.execute(delete(Verification).where(col(Verification.ended_at) < before))


def _is_running(verification_id: UUID) -> list[ColumnElement[bool]]:
    is_running = col(Verification.state) == VerificationState.running
    return [col(Verification.id) == verification_id, is_running]


async def _change(session: Session, where: list[ColumnElement[bool]], **values: Any) -> bool:
    query = update(Verification).where(*where).values(**values).returning(col(Verification.id))
    return (await session.execute(query)).scalar_one_or_none() is not None
