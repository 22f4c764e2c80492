"""Check-ins: a scanned code becomes attendance, an award, points and hours, in one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core import rotating_codes
from app.core.db import Session
from app.core.errors import Refusal
from app.core.geo import distance_m, wgs84_to_gcj02
from app.core.ids import new_id
from app.core.rotating_codes import Action, RotatingCodes
from app.models.activities import ActivityStatus
from app.models.awards import Award
from app.models.checkins import CheckinMethod
from app.models.ledger import Purpose
from app.queries import checkins as queries
from app.queries.awards import granting as granting_queries
from app.queries.awards.granting import NewAward
from app.queries.checkins import CheckinContext, ExistingCheckin, NewCheckin
from app.queries.ledger import reading as reading_queries
from app.schemas.checkins import BalancesOut, CheckinOut, CheckinResultOut, PositionIn
from app.services.activities import ActivityNotOpen
from app.services.awards import granting, wording
from app.services.awards.granting import Grant
from app.services.policies import history, rules
from app.services.policies.rules import PointsPolicy

# People come early and leave late.
OPENS_BEFORE_START = timedelta(minutes=30)
CLOSES_AFTER_END = timedelta(minutes=30)

Pair = tuple[UUID, UUID]  # activity, person


class CheckinCodeInvalid(Refusal):
    """Not ours, of another purpose or key, from the future, of no activity: all look alike."""

    code, status, title = "checkins.code_invalid", 422, "Code invalid"
    zh, en = "签到码无效，请扫描现场屏幕上的二维码", "This is not a valid check-in code."


class CheckinCodeExpired(Refusal):
    code, status, title = "checkins.code_expired", 422, "Code expired"
    zh, en = "签到码已过期，请重新扫描", "This code has expired; scan the screen again."


class NotSignedUp(Refusal):
    code, status, title = "checkins.not_signed_up", 403, "Not signed up"
    zh, en = "您未报名或未获得名额", "You have no confirmed place at this activity."


class OutsideWindow(Refusal):
    code, status, title = "checkins.outside_window", 409, "Outside the check-in window"
    zh, en = "不在签到时间内", "Check-in is not open at this time."
    fact_names = ("opens_at", "closes_at")


@dataclass(frozen=True, slots=True)
class Scan:
    """A command: the person showed a verified code of the activity with this serial."""

    serial: int
    person_id: UUID
    position: PositionIn | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """``is_new`` is False when the person had checked in before: this is the first result."""

    result: CheckinResultOut
    is_new: bool


def read_code(codes: RotatingCodes, code: str, at: datetime) -> int:
    """Verify a code without any look-up; return the serial of its activity.

    Raises CheckinCodeInvalid or CheckinCodeExpired.
    """
    try:
        return codes.check(code, Action.check_in, at.timestamp())
    except rotating_codes.CodeExpired:
        raise CheckinCodeExpired from None
    except rotating_codes.CodeInvalid:
        raise CheckinCodeInvalid from None


async def record(tx: Session, scans: Sequence[Scan], at: datetime) -> list[Recorded | Refusal]:
    """Record a list of scans in a fixed number of statements, one outcome each.

    Outcomes: Recorded, or CheckinCodeInvalid, ActivityNotOpen, OutsideWindow, NotSignedUp.
    """
    found = await queries.contexts(tx, [(one.serial, one.person_id) for one in scans])
    looks = [_look(found.get((scan.serial, scan.person_id)), at) for scan in scans]
    # Of several scans of one person in the list, the first is the check-in.
    first: dict[Pair, tuple[CheckinContext, Scan]] = {}
    for look, scan in zip(looks, scans, strict=True):
        if isinstance(look, CheckinContext):
            first.setdefault((look.activity_id, look.person_id), (look, scan))
    results = await _record(tx, first, at)
    outcomes: list[Recorded | Refusal] = []
    for look, scan in zip(looks, scans, strict=True):
        if isinstance(look, Refusal):
            outcomes.append(look)
            continue
        pair = (look.activity_id, look.person_id)
        result = results.get(pair)
        if result is None:
            outcomes.append(NotSignedUp())
        else:
            is_new = result.is_new and first[pair][1] is scan
            outcomes.append(Recorded(_to_out(result), is_new))
    return outcomes


def _look(context: CheckinContext | None, at: datetime) -> CheckinContext | Refusal:
    """Return the context if a check-in may happen now, else the refusal."""
    if context is None:
        return CheckinCodeInvalid()
    if context.status != ActivityStatus.published:
        return ActivityNotOpen(
            status=context.status, starts_at=context.starts_at, ends_at=context.ends_at
        )
    opens, closes = context.starts_at - OPENS_BEFORE_START, context.ends_at + CLOSES_AFTER_END
    if not opens <= at < closes:
        return OutsideWindow(opens_at=opens, closes_at=closes)
    return context


@dataclass(frozen=True, slots=True)
class _Result:
    checkin: NewCheckin | ExistingCheckin
    award: Award | NewAward
    available: int
    pending: int
    is_new: bool


async def _record(
    tx: Session, first: dict[Pair, tuple[CheckinContext, Scan]], at: datetime
) -> dict[Pair, _Result]:
    """Check in who has a place; return what it came to, also for who was checked in before."""
    if not first:
        return {}
    wanted = [_checkin(context, scan, at) for context, scan in first.values()]
    is_new = await queries.insert(tx, wanted)
    new = [one for one in wanted if is_new.get(one.id)]
    known = [one for one in wanted if is_new.get(one.id) is False]
    return await _award(tx, first, new, at) | await _recall(tx, [_pair(one) for one in known])


async def _award(
    tx: Session,
    first: dict[Pair, tuple[CheckinContext, Scan]],
    new: Sequence[NewCheckin],
    at: datetime,
) -> dict[Pair, _Result]:
    """Give what the new check-ins are worth, and count them."""
    if not new:
        return {}
    published = await history.load(tx)
    met = [first[_pair(one)][0] for one in new]
    grants = [
        _grant(context, one, published.announced(at, context.org_path, context.rule_key))
        for context, one in zip(met, new, strict=True)
    ]
    given = await granting.grant(tx, grants, at)
    await queries.count(tx, Counter(one.activity_id for one in new))
    return {
        _pair(one): _Result(
            checkin=one,
            award=granted.award,
            available=granted.balance,
            pending=context.pending.get(granted.award.unit_id, 0),
            is_new=True,
        )
        for one, context, granted in zip(new, met, given, strict=True)
    }


async def _recall(tx: Session, pairs: Sequence[Pair]) -> dict[Pair, _Result]:
    """Return what the check-ins of before came to, with the balances of now."""
    if not pairs:
        return {}
    checkins = await queries.existing(tx, pairs)
    found = await granting_queries.find_many(tx, [one.award_id for one in checkins])
    by_id = {award.id: award for award in found}
    balances = await reading_queries.balances(tx, sorted({one.person_id for one in checkins}))
    return {
        _pair(one): _Result(
            checkin=one,
            award=by_id[one.award_id],
            available=balances.get(
                (one.person_id, Purpose.available, by_id[one.award_id].unit_id), 0
            ),
            pending=balances.get((one.person_id, Purpose.pending, by_id[one.award_id].unit_id), 0),
            is_new=False,
        )
        for one in checkins
    }


def _checkin(context: CheckinContext, scan: Scan, at: datetime) -> NewCheckin:
    return NewCheckin(
        id=new_id(),
        activity_id=context.activity_id,
        person_id=context.person_id,
        method=CheckinMethod.rotating_code,
        distance_m=_distance(context, scan.position),
        checked_in_at=at,
        award_id=new_id(),
    )


def _pair(checkin: NewCheckin | ExistingCheckin) -> Pair:
    return (checkin.activity_id, checkin.person_id)


def _grant(context: CheckinContext, checkin: NewCheckin, policy: PointsPolicy) -> Grant:
    """Say what presence is worth.

    Hours count by the activity's length, in half hours, until a check-out measures them.
    """
    # A rule that has been switched off since still pays what was announced under it.
    rule = policy.document.rules[context.rule_key]
    halves = rules.half_hours(context.starts_at, context.ends_at)
    return Grant(
        id=checkin.award_id,
        reference=f"checkin:{context.activity_id}:0:{context.person_id}",
        person_id=context.person_id,
        org_id=context.org_id,
        policy=policy,
        rule=rule,
        points=rules.points_for_attendance(rule, halves),
        minutes=rules.attendance_minutes(rule, halves),
        proof="rotating_code",
        title=f"{rule.name}：{context.title}",
    )


def _distance(context: CheckinContext, position: PositionIn | None) -> int | None:
    if position is None or context.latitude is None or context.longitude is None:
        return None
    here = (position.latitude, position.longitude)
    if position.coordinate_system == "wgs84":
        here = wgs84_to_gcj02(*here)
    return round(distance_m(here, (context.latitude, context.longitude)))


def _to_out(result: _Result) -> CheckinResultOut:
    return CheckinResultOut(
        checkin=CheckinOut.model_validate(result.checkin),
        award=wording.to_out(result.award),
        points=BalancesOut(available=result.available, pending=result.pending),
    )
