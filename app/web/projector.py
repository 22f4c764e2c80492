"""The projector (投屏): a code that rotates, and who has just arrived, for a screen in the hall."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import JSONResponse, Response

from app.api.access import RESIDENT
from app.api.context import person_of, runtime_of
from app.api.deps import AppRuntime, CurrentPerson, HostUrl, PageQuery, Reader, Tx
from app.api.routes import Router, conditional
from app.core.clock import now
from app.core.ids import PathId
from app.core.ratelimit import Limit
from app.models.activities import ActivityStatus
from app.schemas.checkins import CodeAction
from app.services import activities, checkin_codes
from app.services.activities import ActivityNotFound, ActivityNotOpen, CheckoutNotAsked
from app.services.organizing import listing
from app.services.people import Forbidden
from app.web.access import for_pages
from app.web.rendering import page, qr

router = Router(root="/projector")
# Fifty screens under one login ask every three seconds, and for codes.
SCREENS = replace(RESIDENT, limit=Limit("hall", burst=300, per_second=50))
CODE_REFUSALS = (ActivityNotFound, ActivityNotOpen, Forbidden, CheckoutNotAsked)
ActionQuery = Annotated[CodeAction, Query()]


@router.get("", **for_pages(RESIDENT))
async def list_projectable(tx: Reader, person_id: CurrentPerson, asked: PageQuery) -> Response:
    """List the published activities that the caller organizes, the latest start first."""
    found = await listing.mine(tx, person_id, ActivityStatus.published, asked)
    return page("projectable.html", found=found, here="projector", logged_in=True, at=now())


@router.get("/{activity_id}", **for_pages(RESIDENT, ActivityNotFound, Forbidden))
async def show_projector(
    activity_id: PathId,
    tx: Reader,
    person_id: CurrentPerson,
    action: ActionQuery = CodeAction.check_in,
) -> Response:
    """Return the page, which fetches its code and counts itself."""
    activity = await activities.co_organized(tx, person_id, activity_id)
    return page("projector.html", activity=activity, action=action)


@router.get("/{activity_id}/code", **for_pages(SCREENS, *CODE_REFUSALS))
async def get_code(
    activity_id: PathId,
    tx: Tx,
    runtime: AppRuntime,
    person_id: CurrentPerson,
    host_url: HostUrl,
    action: ActionQuery = CodeAction.check_in,
) -> Response:
    """Return the picture, when it dies, and when to ask again; both in seconds from now."""
    out = await checkin_codes.show(tx, runtime.codes, person_id, activity_id, action, host_url)
    body = {
        "svg": qr(out.url),
        "expires_in": round((out.expires_at - now()).total_seconds(), 1),
        "refresh_after": out.refresh_after_seconds,
    }
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.get("/{activity_id}/live", **for_pages(SCREENS, ActivityNotFound, Forbidden))
async def get_live(activity_id: PathId, request: Request) -> Response:
    """Return counts and the last arrivals, masked; 304 while nothing changes."""
    found = await runtime_of(request).live.get(person_of(request), activity_id)
    return conditional(request, found.hall)
