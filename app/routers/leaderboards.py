"""Leaderboards."""

from typing import Annotated

from fastapi import Query, Request, Response

from app.api.access import ANYONE, allow
from app.api.context import caller_of, reads_primary, runtime_of
from app.api.operations import direct, knows_caller
from app.api.routes import Router, conditional
from app.core.errors import unwrap
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.leaderboards import BoardPeriod, LeaderboardOut
from app.services.leaderboards.reading import Board, BoardQuery
from app.services.orgs import OrgNotFound

ABOUT = Bilingual("排行榜", "Leaderboards")
router = Router(tags=["leaderboards"], about=ABOUT)


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
    org_id: Annotated[PathId | None, Query(description="None: all organisations.")] = None,
    period: BoardPeriod = "month",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Return the people with the most points earned in an organisation and its subtree.

    Without `org_id`: in the whole tree, in the unit of the programme of all organisations.
    """
    query = BoardQuery(Board(org_id, period, limit), caller_of(request))
    found = await runtime_of(request).leaderboards.submit(
        query, from_primary=await reads_primary(request)
    )
    return conditional(request, unwrap([found]))
