"""Leaderboards."""

from typing import Annotated

from fastapi import Query, Request, Response

from app.access import ANYONE, allow, caller_of, runtime_of
from app.core.ids import PathId
from app.core.outcomes import single
from app.core.routes import Router, rendered
from app.schemas.leaderboards import BoardPeriod, LeaderboardOut
from app.services.leaderboards import Board, Look
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
    look = Look(Board(org_id, period, limit), caller_of(request))
    return rendered(request, single([await runtime_of(request).leaderboards.submit(look)]))
