"""SQL of the runs of jobs."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, not_, or_, select, update

from app.core.db import Session
from app.models.jobs import JobRun


async def record(session: Session, name: str) -> None:
    """Write that a job has just completed a run."""
    run = insert(JobRun).values(name=name, last_run_at=func.now())
    await session.execute(
        run.on_conflict_do_update(
            index_elements=[col(JobRun.name)], set_={"last_run_at": func.now()}
        )
    )


async def ages(session: Session) -> dict[str, float]:
    """Return the seconds since the last completed run of each job that ever completed one."""
    age = func.extract("epoch", func.now() - col(JobRun.last_run_at))
    completed = col(JobRun.last_run_at).is_not(None)
    rows = await session.execute(select(col(JobRun.name), age.label("age")).where(completed))
    return {row.name: float(row.age) for row in rows.all()}


async def last_run(session: Session, name: str) -> JobRun | None:
    return await session.get(JobRun, name)


async def note_begin(session: Session, name: str, at: datetime) -> None:
    """Write when a run of a job began; the job is no longer held."""
    begun = {"begun_at": at, "held_since": None}
    run = insert(JobRun).values(name=name, **begun)
    await session.execute(run.on_conflict_do_update(index_elements=[col(JobRun.name)], set_=begun))


async def hold(session: Session, name: str, at: datetime) -> None:
    """Write since when a job is held."""
    query = update(JobRun).where(col(JobRun.name) == name)
    await session.execute(query.values(held_since=at))


async def held(session: Session) -> list[str]:
    """Return the names of the jobs that are held, sorted."""
    query = select(JobRun.name).where(col(JobRun.held_since).is_not(None)).order_by(JobRun.name)
    return list((await session.exec(query)).all())


async def confirm(session: Session, at: datetime, jump: timedelta) -> list[str]:
    """Release the jobs that are held, or would be at ``at``; return their names, sorted."""
    has_jumped: ColumnElement[bool] = not_(col(JobRun.begun_at).between(at - jump, at + jump))
    is_held = or_(col(JobRun.held_since).is_not(None), has_jumped)
    query = update(JobRun).where(is_held).values(begun_at=at, held_since=None)
    return sorted((await session.execute(query.returning(col(JobRun.name)))).scalars())
