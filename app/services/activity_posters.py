"""Posters of activities: printed codes with which people check in where they hang.

Whoever fetches one can pass its code on, so has a part in the activity (docs/decisions/0009).
"""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.poster_codes import MAX_ISSUE, Poster, PosterCodes, PosterKind
from app.core.scanned import url_of
from app.models.activities import Activity, ActivityStatus
from app.queries import activities as queries
from app.schemas.activity_posters import ActivityPosterOut
from app.services import activities, audit
from app.services.activities import ActivityNotOpen
from app.services.checkin_places import NoPlace


class ActivityPostersUsedUp(Refusal):
    code, status, title = "activity_posters.used_up", 409, "Posters used up"
    zh, en = "该活动的海报换发次数已用完", "The poster of this activity was replaced too often."
    fact_names = ("limit",)


async def show(
    tx: Session, codes: PosterCodes, host_url: str, caller: UUID, activity_id: UUID
) -> ActivityPosterOut:
    """Return the poster of an activity.

    Raises ActivityNotFound, Forbidden, ActivityNotOpen, NoPlace.
    """
    activity = await activities.co_organized(tx, caller, activity_id)
    await _note(tx, caller, activity)
    return _out(codes, host_url, activity)


async def renew(
    tx: Session, codes: PosterCodes, host_url: str, caller: UUID, activity_id: UUID
) -> ActivityPosterOut:
    """Make the next issue of a poster; earlier ones are refused from now on.

    The activity gets another version, so that a check-in under way is decided again. Raises
    ActivityNotFound, Forbidden, ActivityNotOpen, NoPlace, ActivityPostersUsedUp.
    """
    activity = await activities.co_organized(tx, caller, activity_id, lock=True)
    await _note(tx, caller, activity)
    if activity.poster_issue == MAX_ISSUE:
        raise ActivityPostersUsedUp(limit=MAX_ISSUE)
    activity.poster_issue += 1
    await queries.save(tx, activity)
    await audit.write(tx, caller, "renewed", activity, facts={"issue": activity.poster_issue})
    return _out(codes, host_url, activity)


async def _note(tx: Session, caller: UUID, activity: Activity) -> None:
    """Note the caller's part in an activity that can have a poster. Raises what it cannot."""
    if activity.status != ActivityStatus.published:
        raise ActivityNotOpen(
            status=activity.status, starts_at=activity.starts_at, ends_at=activity.ends_at
        )
    if activity.radius_m is None:
        raise NoPlace
    await activities.note_part(tx, caller, activity, caller)


def _out(codes: PosterCodes, host_url: str, activity: Activity) -> ActivityPosterOut:
    code = codes.make(PosterKind.activity, Poster(activity.serial, activity.poster_issue))
    path = f"/api/v1/activities/{activity.id}/poster"
    return ActivityPosterOut(
        activity_id=activity.id,
        issue=activity.poster_issue,
        code=code,
        url=url_of(host_url, code),
        svg_url=f"{path}.svg",
        wxacode_url=f"{path}/wxacode",
    )
