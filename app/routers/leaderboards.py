"""Leaderboards."""

from typing import Annotated

from fastapi import Query

from app.core.ids import PathId
from app.core.routes import Router
from app.deps import ANYONE, AppRuntime, Caller, Reader, allow
from app.schemas.leaderboards import BoardPeriod, LeaderboardOut
from app.services import leaderboards
from app.services.orgs import OrgNotFound

router = Router(tags=["leaderboards"])


@router.get("/leaderboards", operation_id="getLeaderboard", **allow(ANYONE, OrgNotFound))
async def get_leaderboard(
    tx: Reader,
    runtime: AppRuntime,
    caller: Caller,
    org_id: PathId,
    period: BoardPeriod = "month",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> LeaderboardOut:
    """Return who earned most in an organisation and everything below it."""
    return await leaderboards.board(tx, runtime.boards, caller, org_id, period, limit)
