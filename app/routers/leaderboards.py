"""Leaderboards."""

from typing import Annotated

from fastapi import Query, Request, Response

from app.api.access import ANYONE, allow
from app.api.context import caller_of, runtime_of
from app.api.routes import Router, conditional
from app.core.errors import unwrap
from app.core.ids import PathId
from app.schemas.leaderboards import BoardPeriod, LeaderboardOut
from app.services.leaderboards.reading import Board, BoardQuery
from app.services.orgs import OrgNotFound

router = Router(tags=["leaderboards"])


@router.get(
    "/leaderboards",
    operation_id="getLeaderboard",
    response_model=LeaderboardOut,
    **allow(ANYONE, OrgNotFound),
)
async def get_leaderboard(
    request: Request,
    org_id: PathId,
    period: BoardPeriod = "month",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Return who earned most in an organisation and everything below it."""
    look = BoardQuery(Board(org_id, period, limit), caller_of(request))
    return conditional(request, unwrap([await runtime_of(request).leaderboards.submit(look)]))
