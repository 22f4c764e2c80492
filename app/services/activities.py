"""Activities: drafting, publishing, browsing, and the code on the organizer's screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Row, Session
from app.core.errors import Refusal
from app.core.etag import Rendered
from app.core.paging import Page, PageParams, keyset
from app.core.rotating_codes import Action, RotatingCode, RotatingCodes
from app.core.validation_messages import invalid
from app.models.activities import Activity, ActivityStatus
from app.queries import activities as queries
from app.queries import people as people_queries
from app.queries.activities import ActivityFilter
from app.schemas.activities import ActivityIn, ActivityOut, CheckinCodeOut
from app.services import audit, orgs, people, records
from app.services.policies import history, rules


class ActivityNotFound(Refusal):
    code, status, title = "activities.not_found", 404, "No such activity"
    zh, en = "活动不存在", "There is no such activity."


class ActivityNotOpen(Refusal):
    code, status, title = "activities.not_open", 409, "Activity not open"
    zh, en = "活动未发布或已结束", "The activity is not published, or it is over."
    fact_names = ("status", "starts_at", "ends_at")


class ActivityNotDraft(Refusal):
    code, status, title = "activities.not_draft", 409, "Activity not a draft"
    zh, en = "只有草稿可以发布", "Only a draft can be published."
    fact_names = ("status",)


async def create(tx: Session, caller: UUID, body: ActivityIn) -> ActivityOut:
    """Draft an activity. Raises OrgNotFound, Forbidden, Invalid (rule, times)."""
    org = await records.authorized(tx, caller, people.ORGANIZERS, body.org_id)
    rule = (await history.in_force(tx, org.path)).rule(body.rule_key)
    if rule is None:
        raise invalid("body.rule_key", "没有生效的这条规则", "no such rule in force")
    if not rules.by_attendance(rule):
        raise invalid("body.rule_key", "签到不能满足这条规则", "attendance cannot meet this rule")
    location = body.location
    activity = Activity(
        org_id=org.id,
        org_path=org.path,
        created_by=caller,
        location_name=location.name if location else None,
        latitude=location.latitude if location else None,
        longitude=location.longitude if location else None,
        radius_m=location.radius_m if location else None,
        **body.model_dump(exclude={"org_id", "location", "signup_opens_at", "signup_closes_at"}),
        signup_opens_at=body.signup_opens_at or min(now(), body.starts_at),
        signup_closes_at=body.signup_closes_at or body.ends_at,
    )
    if activity.signup_opens_at >= activity.signup_closes_at:
        raise invalid("body.signup_closes_at", "早于报名开始或当前时间", "lies in the past")
    await queries.insert(tx, activity)
    await audit.write(tx, caller, "created", activity)
    return ActivityOut.of(activity)


async def publish(tx: Session, caller: UUID, activity_id: UUID) -> ActivityOut:
    """Publish a draft. Publishing twice is the same as once.

    Raises ActivityNotFound, ActivityNotDraft (cancelled).
    """
    activity = await _organized(tx, caller, activity_id)
    done = await queries.publish(tx, activity_id)
    if done:
        await audit.write(tx, caller, "published", activity, before="draft", after="published")
    elif activity.status != ActivityStatus.published:
        raise ActivityNotDraft(status=activity.status)
    activity.status = ActivityStatus.published
    return ActivityOut.of(activity)


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """A question: what is the activity? ``caller`` may be nobody."""

    activity_id: UUID
    caller: UUID | None


async def read(tx: Session, looks: Sequence[ActivityQuery]) -> list[Rendered | Refusal]:
    """Return an ``ActivityOut`` for each look; a draft only to who organizes or audits it.

    Outcomes: Rendered, once for all who look at the same, or ActivityNotFound.
    """
    found = await queries.find_many(tx, sorted({look.activity_id for look in looks}))
    rendered = {
        one.id: Rendered.of(ActivityOut.of_columns(one).model_dump_json().encode())
        for one in found.values()
    }
    return [
        rendered[look.activity_id]
        if await _may_see(tx, look.caller, found.get(look.activity_id))
        else ActivityNotFound()
        for look in looks
    ]


async def _may_see(tx: Session, caller: UUID | None, activity: Row | None) -> bool:
    if activity is None or activity.status != ActivityStatus.draft:
        return activity is not None
    return caller is not None and await people_queries.has_role_at(
        tx, caller, people.READERS, activity.org_path
    )


async def browse(
    tx: Session,
    caller: UUID | None,
    wanted: ActivityFilter,
    org_id: UUID | None,
    status: ActivityStatus | None,
    asked: PageParams,
) -> Page[ActivityOut]:
    """Return activities by start. Drafts only of an organisation that the caller organizes.

    Raises OrgNotFound, Forbidden.
    """
    org_path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    statuses = [status] if status else [ActivityStatus.published, ActivityStatus.cancelled]
    if status is ActivityStatus.draft:
        if caller is None or org_path is None:
            raise people.Forbidden
        await people.require_role(tx, caller, people.READERS, org_path)
    return await keyset(
        asked,
        (datetime, UUID),
        lambda after, limit: queries.page(tx, wanted, org_path, statuses, after, limit),
        ActivityOut.of,
        lambda activity: (activity.starts_at, activity.id),
    )


async def checkin_code(
    tx: Session, codes: RotatingCodes, caller: UUID, activity_id: UUID
) -> CheckinCodeOut:
    """Return the code for the organizer's screen, new every 15 s."""
    moment = now()
    code = await _code(tx, codes, caller, activity_id, moment)
    return CheckinCodeOut(
        code=code.text,
        expires_at=datetime.fromtimestamp(code.expires_at, UTC),
        refresh_after_seconds=round(max(code.next_at - moment.timestamp(), 0.1), 1),
        svg_url=f"/api/v1/activities/{activity_id}/checkin-code.svg",
    )


async def checkin_code_text(
    tx: Session, codes: RotatingCodes, caller: UUID, activity_id: UUID
) -> str:
    """Return the bare code, for the picture of it."""
    return (await _code(tx, codes, caller, activity_id, now())).text


async def _code(
    tx: Session, codes: RotatingCodes, caller: UUID, activity_id: UUID, moment: datetime
) -> RotatingCode:
    activity = await _organized(tx, caller, activity_id)
    if activity.status != ActivityStatus.published:
        raise ActivityNotOpen(
            status=activity.status, starts_at=activity.starts_at, ends_at=activity.ends_at
        )
    return codes.make(Action.check_in, activity.serial, moment.timestamp())


async def _organized(tx: Session, caller: UUID, activity_id: UUID) -> Activity:
    """Return the activity if the caller organizes it; else it does not exist for them."""
    activity = await queries.find(tx, activity_id)
    if activity is None or not await people_queries.has_role_at(
        tx, caller, people.ORGANIZERS, activity.org_path
    ):
        raise ActivityNotFound
    return activity
