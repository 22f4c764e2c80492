"""Posts (岗位) of volunteers, and rotas (轮值) of their shifts."""

from typing import Annotated

from fastapi import Query, Response

from app.api.access import ANYONE, RESIDENT, allow
from app.api.deps import Caller, CurrentPerson, IfMatch, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Day
from app.schemas.posts import PostIn, PostOut, RotaIn, RotaOut, ShiftsCreatedOut
from app.services import posts
from app.services.activities import ActivityNotFound, ActivityWrongState
from app.services.organizing.editing import ActivityAttended, ActivityBegun
from app.services.orgs import OrgClosed
from app.services.people import Forbidden
from app.services.sessions import TooManySessions

ABOUT = Bilingual(
    "岗位与轮值：招募令的岗位、班次和每周轮值表",
    "Posts of volunteers, their shifts and rotas",
)
router = Router(tags=["posts"], about=ABOUT)
COMMON = (ActivityNotFound, Forbidden, OrgClosed, ActivityWrongState)


@router.post(
    "/activities/{activity_id}/posts",
    status_code=201,
    operation_id="createPost",
    **allow(RESIDENT, *COMMON, posts.PostThere, posts.TooManyPosts, body=True, once=True),
)
@leads_to("deletePost", {"activity_id": "activity_id", "post_id": "id"})
async def create_post(
    activity_id: PathId, body: PostIn, tx: Tx, person_id: CurrentPerson
) -> PostOut:
    """Add a post to a draft or a published activity, up to 50."""
    return await posts.create(tx, person_id, activity_id, body)


@router.get(
    "/activities/{activity_id}/posts",
    operation_id="listPosts",
    **allow(ANYONE, ActivityNotFound),
)
async def list_posts(activity_id: PathId, tx: Reader, caller: Caller) -> Page[PostOut]:
    """Return the posts of an activity, all of them in one page."""
    return await posts.browse(tx, caller, activity_id)


@router.put(
    "/activities/{activity_id}/posts/{post_id}",
    operation_id="editPost",
    **allow(RESIDENT, *COMMON, posts.PostNotFound, posts.PostThere, body=True, if_match=True),
)
async def edit_post(
    activity_id: PathId,
    post_id: PathId,
    body: PostIn,
    version: IfMatch,
    tx: Tx,
    person_id: CurrentPerson,
) -> PostOut:
    """Replace a post; `If-Match` names the version of the activity."""
    return await posts.edit(tx, person_id, activity_id, post_id, version, body)


@router.delete(
    "/activities/{activity_id}/posts/{post_id}",
    status_code=204,
    operation_id="deletePost",
    **allow(RESIDENT, *COMMON, posts.PostNotFound, posts.PostUsed),
)
async def delete_post(
    activity_id: PathId, post_id: PathId, tx: Tx, person_id: CurrentPerson
) -> Response:
    """Remove a post without shifts."""
    await posts.delete(tx, person_id, activity_id, post_id)
    return Response(status_code=204)


@router.post(
    "/activities/{activity_id}/shifts",
    status_code=201,
    operation_id="createShifts",
    **allow(
        RESIDENT,
        *COMMON,
        ActivityAttended,
        ActivityBegun,
        TooManySessions,
        body=True,
        once=True,
    ),
)
@leads_to("getRota", {"activity_id": "activity_id"})
async def create_shifts(
    activity_id: PathId, body: RotaIn, tx: Tx, person_id: CurrentPerson
) -> ShiftsCreatedOut:
    """Make a shift of each post on each of these weekdays; all of them are sessions."""
    return await posts.create_shifts(tx, person_id, activity_id, body)


@router.get(
    "/activities/{activity_id}/rota", operation_id="getRota", **allow(ANYONE, ActivityNotFound)
)
async def get_rota(
    activity_id: PathId,
    tx: Reader,
    caller: Caller,
    since: Annotated[Day | None, Query(description="The first day; else today.")] = None,
    until: Annotated[
        Day | None, Query(description="The last day, 31 days at most; else a week.")
    ] = None,
) -> RotaOut:
    """Return by day what each shift needs and has, with names to who organizes the activity.

    Auditors and who has a shift see masked names, and the sign-ups by which a swap asks for another
    shift.
    """
    return await posts.rota(tx, caller, activity_id, since, until)
