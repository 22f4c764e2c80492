"""SQL of pauses of sign-up, and of the strikes that cause them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.deductions import Deduction, DeductionState
from app.models.no_shows import NoShow
from app.models.signup_pauses import SignupPause


async def until(session: Session, people: Sequence[UUID], at: datetime) -> datetime | None:
    """Read until when the latest pause of accounts lasts; None: there is none, or it is over."""
    query = select(func.max(SignupPause.until)).where(
        col(SignupPause.person_id).in_(people), col(SignupPause.until) > at
    )
    return (await session.exec(query)).one()


async def strikes(session: Session, people: Sequence[UUID], since: datetime) -> list[datetime]:
    """Read when the strikes of accounts were given that stand, from a time on, latest first."""
    query = (
        select(Deduction.created_at)
        .join(NoShow, col(NoShow.deduction_id) == col(Deduction.id))
        .where(col(NoShow.person_id).in_(people), Deduction.state != DeductionState.revoked)
        .where(col(Deduction.created_at) > since)
        .order_by(col(Deduction.created_at).desc())
    )
    return list(await session.exec(query))


async def put(session: Session, person: UUID, until: datetime) -> None:
    """Write the pause of a person, in the place of an earlier one."""
    row = insert(SignupPause).values(person_id=person, until=until)
    await session.execute(
        row.on_conflict_do_update(
            index_elements=[col(SignupPause.person_id)], set_={"until": row.excluded.until}
        )
    )


async def end(session: Session, people: Sequence[UUID]) -> None:
    await session.execute(delete(SignupPause).where(col(SignupPause.person_id).in_(people)))
