"""Leaderboards."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from app.api.access import ANYONE, allow
from app.api.context import caller_of, reads_primary, runtime_of
from app.api.deps import AppRuntime, StaleReader
from app.api.operations import direct, knows_caller
from app.api.routes import Router, conditional
from app.core.errors import unwrap
from app.core.ids import PathId
from app.core.language import Bilingual
from app.models.orgs import Level
from app.schemas.leaderboards import (
    BoardPeriod,
    HoursLeaderboardOut,
    LeaderboardOut,
    Measure,
    OrgLeaderboardOut,
)
from app.services.leaderboards import org_boards
from app.services.leaderboards.org_boards import OrgBoard
from app.services.leaderboards.reading import Board, BoardQuery
from app.services.orgs import OrgNotFound

ABOUT = Bilingual("排行榜", "Leaderboards")
router = Router(tags=["leaderboards"], about=ABOUT)


OrgQuery = Annotated[PathId | None, Query(description="None: all organisations.")]
PeriodQuery = Annotated[BoardPeriod, Query(description="The running period that counts.")]
PlacesQuery = Annotated[int, Query(ge=1, le=100, description="How many places.")]
LevelQuery = Annotated[Level, Query(description="Level of the organisations to compare.")]
MeasureQuery = Annotated[
    Measure, Query(description="What is summed up: points or minutes of service.")
]
AroundQuery = Annotated[
    Literal["me"] | None, Query(description="`me`: the caller's neighbours too.")
]


async def _board(request: Request, board: Board, around: str | None) -> Response:
    query = BoardQuery(board, caller_of(request), around is not None)
    found = await runtime_of(request).leaderboards.submit(
        query, from_primary=await reads_primary(request)
    )
    return conditional(request, unwrap([found]))


@router.get(
    "/leaderboards",
    operation_id="getLeaderboard",
    response_model=LeaderboardOut,
    **allow(ANYONE, OrgNotFound),
)
@direct
@knows_caller
async def get_leaderboard(
    request: Request,
    org_id: OrgQuery = None,
    period: PeriodQuery = "month",
    limit: PlacesQuery = 20,
    around: AroundQuery = None,
) -> Response:
    """Return the people with the most points earned in an organisation and its subtree.

    Without `org_id`: in the whole tree, in the unit of the programme of all organisations.
    """
    return await _board(request, Board(org_id, period, limit), around)


@router.get(
    "/leaderboards/hours",
    operation_id="getHoursLeaderboard",
    response_model=HoursLeaderboardOut,
    **allow(ANYONE, OrgNotFound),
)
@direct
@knows_caller
async def get_hours_leaderboard(
    request: Request,
    org_id: OrgQuery = None,
    period: PeriodQuery = "month",
    limit: PlacesQuery = 20,
    around: AroundQuery = None,
) -> Response:
    """Return the people with the most hours of service in an organisation and its subtree."""
    return await _board(request, Board(org_id, period, limit, "minutes"), around)


@router.get("/leaderboards/orgs", operation_id="getOrgLeaderboard", **allow(ANYONE, OrgNotFound))
async def get_org_leaderboard(
    tx: StaleReader,
    runtime: AppRuntime,
    org_id: OrgQuery = None,
    level: LevelQuery = Level.community,
    measure: MeasureQuery = "points",
    period: PeriodQuery = "month",
    limit: PlacesQuery = 20,
) -> OrgLeaderboardOut:
    """Return the organisations of a level below another by what their people earned together."""
    asked = OrgBoard(org_id, level, period, measure, limit)
    return await org_boards.read(tx, runtime.boards, asked)
