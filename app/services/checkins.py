"""Check-ins: a scanned code becomes attendance, an award, points and hours, in one transaction."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core import rotating_codes
from app.core.clock import now
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
from app.services import signups
from app.services.activities import ActivityNotOpen
from app.services.awards import granting, wording
from app.services.awards.granting import Grant
from app.services.policies import history, rules
from app.services.policies.rules import PointsPolicy
from app.services.signups import NotSignedUp

# Check-ins are accepted this long before the start and after the end.
OPENS_BEFORE_START = timedelta(minutes=30)
CLOSES_AFTER_END = timedelta(minutes=30)


class CheckinCodeInvalid(Refusal):
    """A code that is forged, of another purpose or key, of no activity, or from the future."""

    code, status, title = "checkins.code_invalid", 422, "Code invalid"
    zh, en = "签到码无效，请扫描现场屏幕上的二维码", "This is not a valid check-in code."


class CheckinCodeExpired(Refusal):
    code, status, title = "checkins.code_expired", 422, "Code expired"
    zh, en = "签到码已过期，请重新扫描", "This code has expired; scan the screen again."


class OutsideWindow(Refusal):
    code, status, title = "checkins.outside_window", 409, "Outside the check-in window"
    zh, en = "不在签到时间内", "Check-in is not open at this time."
    fact_names = ("opens_at", "closes_at")


@dataclass(frozen=True, slots=True)
class Scan:
    """A command: the person scanned a verified code of the activity with this serial."""

    serial: int
    person_id: UUID
    position: PositionIn | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """``is_new`` is False if the person had checked in before; this is then the first result."""

    result: CheckinResultOut
    is_new: bool


def read_code(codes: RotatingCodes, code: str, at: datetime) -> int:
    """Verify a code without a one-up; return the serial of its activity.

    Raises CheckinCodeInvalid or CheckinCodeExpired.
    """
    try:
        return codes.check(code, Action.check_in, at.timestamp())
    except rotating_codes.CodeExpired:
        raise CheckinCodeExpired from None
    except rotating_codes.CodeInvalid:
        raise CheckinCodeInvalid from None


def conflict_keys(scan: Scan) -> Iterable[Hashable]:
    """Return the conflict keys of a scan: the person."""
    return (scan.person_id,)


async def record(tx: Session, scans: Sequence[Scan], at: datetime) -> list[Recorded | Refusal]:
    """Record a batch of scans in a fixed number of statements, one outcome each.

    ``at`` dates check-ins and awards. Windows and the attended time go by the clock, which is
    behind it after a day was closed too early (``moments``).
    Precondition: no two scans share a conflict key. Outcomes: Recorded, or CheckinCodeInvalid,
    ActivityNotOpen, OutsideWindow, NotSignedUp. Raises Retry if an activity changes meanwhile.
    """
    found = await queries.contexts(tx, [(one.serial, one.person_id) for one in scans])
    clock = now()
    checked = [_check(found.get((scan.serial, scan.person_id)), clock) for scan in scans]
    met = {
        one.person_id: (one, scan)
        for one, scan in zip(checked, scans, strict=True)
        if isinstance(one, CheckinContext)
    }
    results = await _record(tx, met, at, clock)
    placeless = [
        (context.activity_id, person)
        for person, (context, _) in met.items()
        if person not in results
    ]
    refused = await signups.placeless(tx, placeless)
    return [
        one if isinstance(one, Refusal) else _outcome(results, refused, one.person_id)
        for one in checked
    ]


def _outcome(
    results: "dict[UUID, _Result]", refused: dict[UUID, NotSignedUp], person: UUID
) -> Recorded | Refusal:
    if person in results:
        return Recorded(_to_out(results[person]), results[person].is_new)
    return refused[person]


def _check(context: CheckinContext | None, at: datetime) -> CheckinContext | Refusal:
    """Return the context if a check-in is possible at this time, else the refusal."""
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
    tx: Session, met: dict[UUID, tuple[CheckinContext, Scan]], at: datetime, clock: datetime
) -> dict[UUID, _Result]:
    """Check in the people with a place; return their results, also of earlier check-ins."""
    if not met:
        return {}
    wanted = [_checkin(context, scan, at) for context, scan in met.values()]
    is_new = await queries.insert(tx, wanted)
    new = [(met[one.person_id][0], one) for one in wanted if is_new.get(one.id)]
    known = [one for one in wanted if is_new.get(one.id) is False]
    return await _award(tx, new, at, clock) | await _recall(tx, known)


async def _award(
    tx: Session,
    new: Sequence[tuple[CheckinContext, NewCheckin]],
    at: datetime,
    clock: datetime,
) -> dict[UUID, _Result]:
    """Grant the awards of new check-ins, and add them to the counters."""
    if not new:
        return {}
    published = await history.load(tx)
    places = {(context.org_path, context.rule_key) for context, _ in new}
    policies = {place: published.announced(at, *place) for place in places}
    grants = [
        _grant(context, one, policies[context.org_path, context.rule_key], clock)
        for context, one in new
    ]
    given = await granting.grant(tx, grants, at)
    await wording.tell_reviewers(tx, [one.award for one in given])
    await queries.count(tx, Counter((one.activity_id, one.version) for one, _ in new))
    return {
        one.person_id: _Result(
            checkin=one,
            award=granted.award,
            available=granted.available,
            pending=context.pending.get(granted.award.unit_id, 0)
            if granted.pending is None
            else granted.pending,
            is_new=True,
        )
        for (context, one), granted in zip(new, given, strict=True)
    }


async def _recall(tx: Session, known: Sequence[NewCheckin]) -> dict[UUID, _Result]:
    """Return the results of earlier check-ins, with the present balances."""
    if not known:
        return {}
    checkins = await queries.existing(tx, [(one.activity_id, one.person_id) for one in known])
    found = await granting_queries.find_many(tx, [one.award_id for one in checkins])
    by_id = {award.id: award for award in found}
    balances = await reading_queries.balances(tx, sorted({one.person_id for one in checkins}))
    return {
        one.person_id: _Result(
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


def _grant(
    context: CheckinContext, checkin: NewCheckin, policy: PointsPolicy, clock: datetime
) -> Grant:
    """Return the grant for an attendance of which no time was counted before.

    By a rule that demands more than attendance, the author of the activity proposes the awards of
    all who attend it.
    """
    # Announced rules apply, also if a rule has been switched off since.
    rule = policy.document.rules[context.rule_key]
    attended = rules.attended(clock, context.starts_at, context.ends_at)
    halves = rules.half_hours(attended.length)
    asks_more = rules.asks_more_than_attendance(rule)
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
        proposed_by=context.created_by if asks_more else None,
        proposal_id=context.activity_id if asks_more else None,
        attended=attended,
        is_own_act=context.is_own_act,
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
