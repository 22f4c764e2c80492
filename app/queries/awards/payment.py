"""SQL of awards that wait for their fund."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from app.core.db import Session
from app.models.awards import Award, AwardState
from app.models.orgs import Org

_PAY = """
UPDATE awards a SET state = k.state
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[])) AS k(id, state) WHERE a.id = k.id
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fund that owes awards; ``since`` is when the first of them was given."""

    org_id: UUID
    unit_id: int
    org_path: str
    since: datetime


async def waiting(session: Session) -> list[Waiting]:
    """Find the funds for which awards wait."""
    since = func.min(Award.awarded_at)
    query = (
        select(Award.org_id, Award.unit_id, Org.path, since)
        .join(Org, col(Org.id) == col(Award.org_id))
        .where(Award.state == AwardState.pending_budget)
        .group_by(col(Award.org_id), col(Award.unit_id), col(Org.path))
        .order_by(since)
    )
    return [Waiting(*row) for row in await session.exec(query)]


async def lock_waiting(session: Session, org: UUID, unit: int, limit: int) -> list[Award]:
    """Lock the awards that a fund owes, oldest first. Who comes second waits for the first."""
    query = (
        select(Award)
        .where(Award.org_id == org, Award.unit_id == unit)
        .where(Award.state == AwardState.pending_budget)
        .order_by(col(Award.awarded_at), col(Award.id))
        .limit(limit)
        .with_for_update()
    )
    return list(await session.exec(query))


async def pay(session: Session, states: dict[UUID, AwardState]) -> None:
    """Move locked awards on to the states in which they go on."""
    await session.fetch(_PAY, {"ids": list(states), "states": list(states.values())})
