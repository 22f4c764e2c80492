"""Awards in public notice (公示): everybody may read them, with masked names."""

from fastapi import Request
from starlette.responses import Response

from app.api.access import ANYONE
from app.api.context import caller_of
from app.api.deps import PageQuery, StaleReader
from app.api.routes import Router
from app.services.awards import public_notice
from app.services.orgs import OrgNotFound
from app.web.access import for_pages
from app.web.rendering import page

router = Router(root="/award-notices")


@router.get("", **for_pages(ANYONE, OrgNotFound))
async def list_award_notices(request: Request, tx: StaleReader, asked: PageQuery) -> Response:
    """List the awards in public notice, in the order in which the notices end."""
    return page(
        "award-notices.html",
        found=await public_notice.in_notice(tx, None, asked),
        here="award-notices",
        logged_in=caller_of(request) is not None,
    )
