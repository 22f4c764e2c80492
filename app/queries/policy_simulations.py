"""SQL of simulations of drafts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, update
from sqlalchemy.dialects import postgresql
from sqlmodel import col, select

from app.core.db import Session
from app.models.people import Person
from app.models.policy_simulations import (
    UNDER_WAY,
    PolicySimulation,
    PolicySimulationState,
    SimulatedPerson,
)

Running = tuple[UUID, int]  # a simulation, and the attempt that runs it
Named = tuple[SimulatedPerson, str]


async def add(session: Session, new: Mapping[str, Any]) -> PolicySimulation | None:
    """Insert a simulation; None if one of its organisation is under way."""
    query = postgresql.insert(PolicySimulation).values(state=PolicySimulationState.waiting, **new)
    made = await session.execute(query.on_conflict_do_nothing().returning(PolicySimulation))
    return made.scalar_one_or_none()


async def under_way(session: Session, org_id: UUID | None) -> PolicySimulation | None:
    query = select(PolicySimulation).where(
        col(PolicySimulation.org_id).is_not_distinct_from(org_id),
        col(PolicySimulation.state).in_(UNDER_WAY),
    )
    return (await session.exec(query)).first()


async def find(session: Session, simulation_id: UUID) -> PolicySimulation | None:
    return await session.get(PolicySimulation, simulation_id)


async def lock(session: Session, simulation_id: UUID) -> PolicySimulation | None:
    query = select(PolicySimulation).where(PolicySimulation.id == simulation_id)
    return (await session.exec(query.with_for_update())).first()


async def save(session: Session, simulation: PolicySimulation) -> None:
    session.add(simulation)
    await session.flush()


async def page(
    session: Session, org_id: UUID | None, before: UUID | None, limit: int
) -> Sequence[PolicySimulation]:
    """Read the simulations of an organisation, newest first."""
    query = (
        select(PolicySimulation)
        .where(col(PolicySimulation.org_id).is_not_distinct_from(org_id))
        .order_by(col(PolicySimulation.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(PolicySimulation.id) < before)
    return (await session.exec(query)).all()


async def claim(session: Session, silent_for: timedelta) -> PolicySimulation | None:
    """Lock the oldest simulation that waits, or whose worker was not heard of for so long."""
    silent = col(PolicySimulation.heard_at) < func.now() - silent_for
    is_left = (col(PolicySimulation.state) == PolicySimulationState.running) & silent
    query = (
        select(PolicySimulation)
        .where((col(PolicySimulation.state) == PolicySimulationState.waiting) | is_left)
        .order_by(col(PolicySimulation.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).first()


async def begin(session: Session, simulation_id: UUID) -> int:
    """Begin a locked simulation, or begin it again from nothing; return the attempt's number."""
    await forget_people(session, simulation_id)
    begun = (
        update(PolicySimulation)
        .where(col(PolicySimulation.id) == simulation_id)
        .values(
            state=PolicySimulationState.running,
            attempts=PolicySimulation.attempts + 1,
            heard_at=func.now(),
            people_done=0,
            people_total=None,
        )
        .returning(col(PolicySimulation.attempts))
    )
    attempt: int = (await session.execute(begun)).scalar_one()
    return attempt


async def tell(session: Session, running: Running, **values: Any) -> bool:
    """Write the progress of an attempt; False if it is not the one that runs any more."""
    simulation_id, attempt = running
    told = (
        update(PolicySimulation)
        .where(
            col(PolicySimulation.id) == simulation_id,
            col(PolicySimulation.state) == PolicySimulationState.running,
            col(PolicySimulation.attempts) == attempt,
        )
        .values(heard_at=func.now(), **values)
        .returning(col(PolicySimulation.id))
    )
    return (await session.execute(told)).scalar_one_or_none() is not None


async def add_people(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await session.execute(insert(SimulatedPerson).values(list(rows)))


async def people_page(
    session: Session,
    simulation_id: UUID,
    changed: ColumnElement[bool] | None,
    after: UUID | None,
    limit: int,
) -> Sequence[Named]:
    """Read people with their names, in the order of their ids."""
    query = (
        select(SimulatedPerson, Person.display_name)
        .join(Person, col(Person.id) == col(SimulatedPerson.person_id))
        .where(SimulatedPerson.simulation_id == simulation_id)
        .order_by(col(SimulatedPerson.person_id))
        .limit(limit)
    )
    if changed is not None:
        query = query.where(changed)
    if after is not None:
        query = query.where(col(SimulatedPerson.person_id) > after)
    return (await session.exec(query)).all()


async def most_changed(session: Session, simulation_id: UUID, limit: int) -> Sequence[Named]:
    """Read those whose points change most."""
    change = func.abs(SimulatedPerson.points_draft - SimulatedPerson.points_now)
    query = (
        select(SimulatedPerson, Person.display_name)
        .join(Person, col(Person.id) == col(SimulatedPerson.person_id))
        .where(SimulatedPerson.simulation_id == simulation_id, change > 0)
        .order_by(change.desc(), col(SimulatedPerson.person_id))
        .limit(limit)
    )
    return (await session.exec(query)).all()


def gains() -> ColumnElement[bool]:
    return col(SimulatedPerson.points_draft) > col(SimulatedPerson.points_now)


def loses() -> ColumnElement[bool]:
    return col(SimulatedPerson.points_draft) < col(SimulatedPerson.points_now)


def keeps() -> ColumnElement[bool]:
    return col(SimulatedPerson.points_draft) == col(SimulatedPerson.points_now)


async def forget_people(session: Session, simulation_id: UUID) -> None:
    """Delete the people of a simulation."""
    await session.execute(
        delete(SimulatedPerson).where(col(SimulatedPerson.simulation_id) == simulation_id)
    )
