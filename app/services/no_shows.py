"""No-shows: who had a place and did not come has points deducted, which is a strike.

A job settles them eight days after the end, by the policy in force then. The deduction is in the
name of who drafted the activity, as proposals of the awards of its attendance are (decision 0043).
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import local_date
from app.core.db import Session
from app.core.ids import new_id
from app.core.signed_events import MAX_AGE
from app.models.activities import Activity
from app.models.deductions import Deduction
from app.models.deductions import DeductionState as State
from app.models.no_shows import NoShow
from app.queries import no_shows as queries
from app.queries.no_shows import Missed
from app.schemas.policies.documents import Deduction as DeductionRule
from app.schemas.signup_terms import terms_of
from app.services import deductions, people, signup_pauses
from app.services.ledger import moments
from app.services.policies import history
from app.services.policies.history import PolicyMissing
from app.services.policies.rules import PointsPolicy

RULE_KEY, EVIDENCE = "no_show", "activity"
# Until then devices without a network send what they recorded, at most ``MAX_AGE`` after it, and
# organizers correct the attendance. The day more is for the end of check-in and of an upload.
SETTLED_AFTER = MAX_AGE + timedelta(days=1)


async def due(tx: Session, at: datetime, skipped: Collection[UUID]) -> Activity | None:
    """Return an activity whose no-shows are to be settled, none of those that are skipped."""
    return await queries.unsettled(tx, at - SETTLED_AFTER, skipped)


async def missed(tx: Session, activity: Activity, limit: int) -> Sequence[Missed]:
    """Return places of an activity that were not used, and are not settled."""
    minutes = terms_of(activity.signup_terms).cancel_until_minutes
    return await queries.missed(tx, activity, timedelta(minutes=minutes), limit)


async def end(tx: Session, activity: Activity) -> None:
    """Note that the no-shows of an activity are settled."""
    await queries.settle(tx, activity.id, await moments.moment(tx))


async def settle(tx: Session, activity: Activity, one: Missed) -> bool:
    """Record a no-show, deduct its points, and pause sign-up if the strikes are enough.

    Nothing is deducted where the policy has no rule for it, or one that asks for other evidence
    than the activity, nor from who drafted it: nobody decides about himself. False if it was
    settled before.
    """
    if not await queries.lock_place(tx, one.signup_id):
        return False
    at = await moments.moment(tx)
    policy = await _policy(tx, activity, at)
    rule = policy.document.deductions.get(RULE_KEY) if policy else None
    by_itself = rule is not None and set(rule.evidence) <= {EVIDENCE}
    is_own = await people.is_any_of(tx, activity.created_by, one.person_id)
    no_show = NoShow(signup_id=one.signup_id, person_id=one.person_id, activity_id=one.activity_id)
    if policy is not None and rule is not None and by_itself and not is_own:
        deduction = _deduction(activity, one, policy, rule, at)
        await deductions.charge(tx, deduction, at, about=f"activity:{activity.id}")
        no_show.deduction_id = deduction.id
    await queries.add(tx, no_show)
    if policy is not None and no_show.deduction_id is not None:
        await signup_pauses.review(tx, one.person_id, policy, at)
    return True


async def _policy(tx: Session, activity: Activity, at: datetime) -> PointsPolicy | None:
    try:
        return await history.in_force(tx, activity.org_path, at)
    except PolicyMissing:
        return None


def _deduction(
    activity: Activity, one: Missed, policy: PointsPolicy, rule: DeductionRule, at: datetime
) -> Deduction:
    session = f" #{one.session}" if one.session else ""
    day = local_date(one.starts_at).isoformat()
    return Deduction(
        id=new_id(),
        person_id=one.person_id,
        org_id=activity.org_id,
        unit_id=policy.unit_id,
        rule_key=rule.key,
        policy_version=policy.version,
        title=rule.name,
        points_asked=rule.points,
        points=0,
        evidence={EVIDENCE: f"{activity.title}{session} {day}", "signup": str(one.signup_id)},
        state=State.standing,
        created_by=activity.created_by,
        created_at=at,
        appeal_until=at + timedelta(days=rule.appeal_days),
    )
