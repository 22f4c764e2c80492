"""Activities: drafting, publishing, and who organizes them."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.core.clock import now
from app.core.db import Row, Session
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.validation_messages import invalid
from app.models.activities import MAX_DISTANCE, MAX_LENGTH, Activity, ActivityStatus, SignupFor
from app.queries import activities as queries
from app.queries import co_organizers as co_organizer_queries
from app.queries import people as people_queries
from app.schemas.activities import ActivityIn, ActivityOut
from app.services import audit, eligibility, orgs, people, records
from app.services.attachments.subjects import Access, Subject
from app.services.policies import history, rules


class ActivityNotFound(Refusal):
    code, status, title = "activities.not_found", 404, "No such activity"
    zh, en = "活动不存在", "There is no such activity."


class ActivityNotOpen(Refusal):
    code, status, title = "activities.not_open", 409, "Activity not open"
    zh, en = "活动未发布或已结束", "The activity is not published, or it is over."
    fact_names = ("status", "starts_at", "ends_at")

    def sentence(self) -> Bilingual:
        return _NOT_OPEN[ActivityStatus(self.facts["status"])]


_OVER = Bilingual("活动已结束", "The activity is over.")
_NOT_OPEN = {
    ActivityStatus.draft: Bilingual("活动尚未发布", "The activity is not published yet."),
    ActivityStatus.published: _OVER,
    ActivityStatus.closed: _OVER,
    ActivityStatus.cancelled: Bilingual("活动已取消", "The activity was cancelled."),
}


class ActivityNotDraft(Refusal):
    code, status, title = "activities.not_draft", 409, "Activity not a draft"
    zh, en = "只有草稿可以发布", "Only a draft can be published."
    fact_names = ("status",)


class ActivityWrongState(records.WrongState):
    code = "activities.wrong_state"


async def create(
    tx: Session,
    caller: UUID,
    body: ActivityIn,
    origin: tuple[str, UUID] | None = None,
    sessions: int = 0,
) -> ActivityOut:
    """Create a draft. Raises OrgNotFound, Forbidden, OrgClosed, Invalid (rule, times).

    ``origin``: the noun and id of what it was copied from. ``sessions``: how many the caller of
    this function inserts; they are between the times of the body.
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    await require_rule(tx, org.path, body.rule_key, checks_out=body.checks_out)
    await eligibility.require_known(tx, org.path, body.eligibility)
    at = now()
    require_limits(body, at, in_sessions=sessions > 0)
    require_to_come("ends_at", body.ends_at, at)
    activity = Activity(
        org_id=org.id,
        org_path=org.path,
        created_by=caller,
        sessions=sessions,
        last_session=sessions,
        **body.columns(),
        signup_opens_at=body.signup_opens_at or min(at, body.starts_at),
        signup_closes_at=body.signup_closes_at or body.ends_at,
        created_at=at,
    )
    if activity.signup_opens_at >= activity.signup_closes_at:
        raise invalid("body.signup_closes_at", "早于报名开始或当前时间", "lies in the past")
    require_places(activity)
    await queries.insert(tx, activity)
    facts = audit.about(*origin) if origin else None
    await audit.write(tx, caller, "created", activity, facts=facts)
    return ActivityOut.of(activity)


def require_places(activity: Activity) -> None:
    """Raise Invalid for a class without sign-up, or with one to single sessions (decision 0047).

    Nobody walks in to it, and guardians sign up to the whole of it.
    """
    if activity.for_minors and activity.signup_for != SignupFor.activity:
        zh, en = "未成年人课堂须整体报名", "guardians sign up to a class as a whole"
        raise invalid("body.signup_for", zh, en)


async def require_rule(
    tx: Session, org_path: str, rule_key: str, *, checks_out: bool = False
) -> None:
    """Raise Invalid unless the rule is in force and attendance can meet it.

    With check-outs it has to pay by time.
    """
    rule = (await history.in_force(tx, org_path)).rule(rule_key)
    if rule is None:
        raise invalid("body.rule_key", "没有生效的这条规则", "no such rule in force")
    if not rules.by_attendance(rule):
        raise invalid("body.rule_key", "签到不能满足这条规则", "attendance cannot meet this rule")
    if checks_out and not rules.by_time(rule):
        raise invalid("body.checks_out", "该规则不按时间计分", "the rule does not pay by time")


class Timed(Protocol):
    """What has a start and an end."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...


def require_limits(body: Timed, at: datetime, *, in_sessions: bool = False) -> None:
    """Raise Invalid if the activity is too long or too far away; the database checks the same.

    ``at``: when it was created. ``in_sessions``: only each of its sessions has a greatest length.
    """
    if body.starts_at < at - MAX_DISTANCE:
        raise invalid("body.starts_at", "早于两年之前", "lies more than two years back")
    if body.ends_at > at + MAX_DISTANCE:
        raise invalid("body.ends_at", "晚于两年之后", "lies more than two years ahead")
    if not in_sessions and body.ends_at - body.starts_at > MAX_LENGTH:
        raise invalid("body.ends_at", "活动最长 24 小时", "at most 24 hours after the start")


def require_to_come(name: str, moment: datetime, at: datetime) -> None:
    """Raise Invalid, for this field of the body, unless the moment is later than ``at``."""
    if moment <= at:
        raise invalid(f"body.{name}", "应晚于当前时间", "lies in the past")


async def publish(tx: Session, caller: UUID, activity_id: UUID) -> ActivityOut:
    """Publish a draft. Idempotent.

    Raises ActivityNotFound, OrgClosed, ActivityNotDraft (cancelled), Invalid (it would be over).
    """
    activity = await organized(tx, caller, activity_id)
    await orgs.get_open(tx, activity.org_id)
    if activity.status == ActivityStatus.draft:
        require_to_come("ends_at", activity.ends_at, now())
    version = await queries.publish(tx, activity_id)
    if version is None:
        if activity.status != ActivityStatus.published:
            raise ActivityNotDraft(status=activity.status)
        return ActivityOut.of(activity)
    await queries.note_organizer(tx, activity_id, caller)
    await audit.write(tx, caller, "published", activity, before="draft", after="published")
    activity.status, activity.version = ActivityStatus.published, version
    return ActivityOut.of(activity)


async def note_part(tx: Session, caller: UUID, activity: Activity, person_id: UUID) -> None:
    """Note that somebody has a part in an activity, a draft too: points of their own there wait.

    Verification compares the organizers with these entries of the audit trail.
    """
    if await queries.note_organizer(tx, activity.id, person_id):
        await audit.write(tx, caller, "organizes", activity, facts={"person": str(person_id)})


async def may_see(tx: Session, caller: UUID | None, activity: Row | Activity | None) -> bool:
    """Whether the caller may see an activity: of a draft, its organizers and auditors."""
    if activity is None or activity.status != ActivityStatus.draft:
        return activity is not None
    if await people.holds(tx, caller, people.READERS, activity.org_path):
        return True
    return caller is not None and await co_organizer_queries.is_one(tx, activity.id, caller)


def is_open(status: str, *, is_late: bool) -> bool:
    """Whether attendance is recorded; ``is_late``: it happened before, and is known only now.

    What devices recorded without network arrives after an activity was closed, too.
    """
    return status == ActivityStatus.published or (is_late and status == ActivityStatus.closed)


class CheckoutNotAsked(Refusal):
    """The activity pays presence: the check-in is all that is asked for."""

    code, status, title = "checkouts.not_asked", 409, "No check-out"
    zh, en = "此活动无需签退", "This activity has no check-out."


async def organized(
    tx: Session, caller: UUID, activity_id: UUID, *, lock: bool = False
) -> Activity:
    """Return the activity. Raises ActivityNotFound, also if the caller has no role for it."""
    activity = await (queries.lock if lock else queries.find)(tx, activity_id)
    if activity is None or not await people_queries.has_role_at(
        tx, caller, people.ORGANIZERS, activity.org_path
    ):
        raise ActivityNotFound
    return activity


async def co_organized(
    tx: Session, caller: UUID, activity_id: UUID, *, lock: bool = False
) -> Activity:
    """Return the activity, to its co-organizers too.

    Raises ActivityNotFound; Forbidden for who has the role of an organizer nowhere.
    """
    if await co_organizer_queries.is_one(tx, activity_id, caller):
        activity = await (queries.lock if lock else queries.find)(tx, activity_id)
        if activity is not None:
            return activity
    try:
        return await organized(tx, caller, activity_id, lock=lock)
    except ActivityNotFound:
        held = await people_queries.roles_held(tx, [caller])
        if not held.get(caller, set()).intersection(people.ORGANIZERS):
            raise people.Forbidden from None
        raise


async def org_of(tx: Session, activity_id: UUID) -> UUID:
    """Return the organisation of an activity. Raises ActivityNotFound."""
    activity = await queries.find(tx, activity_id)
    if activity is None:
        raise ActivityNotFound
    return activity.org_id


async def _access(tx: Session, caller: UUID | None, activity_id: UUID) -> Access | None:
    activity = await queries.find(tx, activity_id)
    if activity is None:
        return None
    organizes = await people.holds(tx, caller, people.ORGANIZERS, activity.org_path) or (
        caller is not None and await co_organizer_queries.is_one(tx, activity_id, caller)
    )
    return Access(
        activity.org_id,
        reads=await may_see(tx, caller, activity),
        attaches=organizes,
        manages=organizes,
        is_public=activity.status != ActivityStatus.draft,
    )


ATTACHABLE = Subject("activity", _access, most=9)
