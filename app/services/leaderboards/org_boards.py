"""Boards of organisations: those of a level below another, by what all their people earned.

By the sum, not by the mean of each person: who brings a newcomer in rises (decision 0037).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.clock import now, period_start
from app.core.db import Session
from app.core.redis import RedisDown
from app.integrations.leaderboards import Boards
from app.models.orgs import Level
from app.queries import leaderboards as queries
from app.queries import orgs as org_queries
from app.schemas.leaderboards import BoardPeriod, Measure, OrgLeaderboardOut, OrgRankOut
from app.services import orgs
from app.services.leaderboards.rules import (
    WHOLE_TREE,
    CountedUnits,
    board_name,
    born_until,
    org_board_name,
)
from app.services.policies import history

Standing = tuple[UUID, int, int]  # organisation, sum, people


@dataclass(frozen=True, slots=True)
class OrgBoard:
    """``limit`` places of the organisations of a level below another, or of the whole tree."""

    org_id: UUID | None
    level: Level
    period: BoardPeriod
    measure: Measure
    limit: int


async def read(tx: Session, boards: Boards, asked: OrgBoard) -> OrgLeaderboardOut:
    """Return a board of organisations. Raises OrgNotFound."""
    path = WHOLE_TREE if asked.org_id is None else (await orgs.get(tx, asked.org_id)).path
    starts_at = period_start(now(), asked.period)
    try:
        standings = await _from_redis(tx, boards, asked, path, starts_at)
    except RedisDown:
        units = CountedUnits(await history.load(tx))
        standings = await queries.top_orgs(
            tx,
            path,
            asked.level,
            starts_at,
            unit=units.measure(path, asked.measure),
            born_until=born_until(),
            limit=asked.limit,
        )
    names = await org_queries.names_of(tx, [one for one, _, _ in standings])
    return OrgLeaderboardOut(
        period=asked.period,
        starts_at=starts_at,
        level=asked.level,
        measure=asked.measure,
        items=[
            OrgRankOut(
                rank=rank,
                org_id=org_id,
                name=names[org_id][1],
                total=total,
                people=people,
                per_person=round(total / people) if people else 0,
            )
            for rank, (org_id, total, people) in enumerate(standings, start=1)
            if org_id in names and total > 0
        ],
    )


async def _from_redis(
    tx: Session, boards: Boards, asked: OrgBoard, path: str, starts_at: datetime
) -> list[Standing]:
    """Read sums, and how many people are on the board of each organisation."""
    generation = await boards.generation()
    if generation is None:
        raise RedisDown
    name = org_board_name(path, asked.level, asked.period, starts_at, asked.measure)
    ([top], _) = await boards.read(generation, [(name, asked.limit)], [])
    paths = await org_queries.paths_of(tx, [org_id for org_id, _ in top])
    known = [(org_id, total) for org_id, total in top if org_id in paths]
    sizes = await boards.sizes(
        generation,
        [board_name(paths[org_id], asked.period, starts_at, asked.measure) for org_id, _ in known],
    )
    return [(org_id, total, people) for (org_id, total), people in zip(known, sizes, strict=True)]
