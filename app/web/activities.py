"""What is on, and the notice of an activity: public, and printed as a poster."""

import json
from enum import StrEnum
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from app.api.access import ANYONE
from app.api.context import caller_of, reads_primary, runtime_of
from app.api.deps import HostUrl, PageQuery, StaleReader
from app.api.routes import Router
from app.core.errors import unwrap
from app.core.ids import PathId
from app.core.language import request_language
from app.models.activities import Category
from app.schemas.base import Words
from app.schemas.browsing import CATEGORY_NAMES
from app.services import browsing
from app.services.activities import ActivityNotFound
from app.services.browsing import ActivityQuery
from app.services.orgs import OrgNotFound
from app.services.people import Forbidden
from app.web.access import for_pages, is_part
from app.web.rendering import page

router = Router(root="/activities")


class Any(StrEnum):
    """What a form sends for a filter that is not set."""

    every = ""


@router.get("", **for_pages(ANYONE, OrgNotFound, Forbidden))
async def list_coming(
    request: Request,
    tx: StaleReader,
    asked: PageQuery,
    q: Annotated[Words, Query(max_length=50)] = "",
    category: Annotated[Category | Any, Query()] = Any.every,
) -> Response:
    """List what is still to take place or under way; for htmx the rows alone."""
    wanted = category if isinstance(category, Category) else None
    return page(
        "part-activities.html" if is_part(request) else "activities.html",
        found=await browsing.coming(tx, wanted, q, asked),
        q=q,
        category=category,
        categories={one.value: name.said() for one, name in CATEGORY_NAMES.items()},
        here="activities",
        logged_in=caller_of(request) is not None,
    )


@router.get("/{activity_id}", **for_pages(ANYONE, ActivityNotFound))
async def show_activity(activity_id: PathId, request: Request, host_url: HostUrl) -> Response:
    """Show an activity to everybody, with the address of its page as a QR code for print."""
    found = await runtime_of(request).activities.submit(
        ActivityQuery(activity_id, caller_of(request), request_language()),
        from_primary=await reads_primary(request),
    )
    body = unwrap([found]).body
    assert body is not None, "asked without a tag"
    return page(
        "activity.html",
        activity=json.loads(body),
        url=f"{host_url}/activities/{activity_id}",
        here="activities",
        logged_in=caller_of(request) is not None,
    )
