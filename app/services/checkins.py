"""Check-ins: a scanned code becomes attendance, an award, points and hours, in one transaction."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.clock import local_date, now, years_before
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.models.awards import Award
from app.models.checkins import CLOSES_AFTER_END, OPENS_BEFORE_START, CheckinMethod
from app.models.ledger import Purpose
from app.queries import checkins as queries
from app.queries.awards import granting as granting_queries
from app.queries.awards.granting import NewAward
from app.queries.checkins import Asked, CheckinContext, Counter, ExistingCheckin, NewCheckin
from app.queries.ledger import reading as reading_queries
from app.schemas.checkins import BalancesOut, CheckinOut, CheckinResultOut, PositionIn
from app.services import checkin_places, checkin_walk_ins, eligibility, people, signups
from app.services.activities import ActivityNotOpen, is_open
from app.services.awards import attendance, granting, wording
from app.services.awards.granting import Grant
from app.services.checkin_codes import CheckinCodeInvalid
from app.services.policies import rules
from app.services.policies.rules import PointsPolicy
from app.services.sessions import SessionNotFound
from app.services.signup_terms import NotAClass


class OutsideWindow(Refusal):
    code, status, title = "checkins.outside_window", 409, "Outside the check-in window"
    zh, en = "不在签到时间内", "Check-in is not open at this time."
    fact_names = ("opens_at", "closes_at")


@dataclass(frozen=True, slots=True)
class Scan:
    """A command: the person came to the activity with this serial.

    ``session``: None: the one that runs, or the next. ``recorded_by``: who checks the person in;
    with ``may_walk_in`` also without a place. ``came_at``: when, if that is not now. ``issue``: of
    the poster that was scanned.
    """

    serial: int
    person_id: UUID
    position: PositionIn | None = None
    method: CheckinMethod = CheckinMethod.rotating_code
    session: int | None = None
    recorded_by: UUID | None = None
    may_walk_in: bool = False
    came_at: datetime | None = None
    issue: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """``is_new`` is False if the person had checked in before; this is then the first result.

    ``left_at``: until when the person was there, as it counts now; None: still there, or
    ``is_annulled`` by an organizer: nothing counts.
    """

    result: CheckinResultOut
    is_new: bool
    left_at: datetime | None = None
    is_annulled: bool = False


# People with what they asked for, where a check-in is possible.
Met = dict[UUID, tuple[CheckinContext, Scan]]


def conflict_keys(scan: Scan) -> Iterable[Hashable]:
    """Return the conflict keys of a scan: the person."""
    return (scan.person_id,)


async def record(tx: Session, scans: Sequence[Scan], at: datetime) -> list[Recorded | Refusal]:
    """Record a batch of scans in a fixed number of statements, one outcome each.

    ``at`` dates check-ins and awards. Windows and the attended time go by the clock, which is
    behind it after a day was closed too early (``moments``).
    Precondition: no two scans share a conflict key. Outcomes: Recorded, or CheckinCodeInvalid,
    SessionNotFound, ActivityNotOpen, OutsideWindow, NotSignedUp, NotEligible; of a child NotAClass;
    of a poster NoPlace, LocationNeeded, CheckinTooFar.
    Raises Retry if an activity changes meanwhile.
    """
    clock = now()
    asked = [
        Asked(one.serial, one.person_id, one.came_at or clock, one.session, one.may_walk_in)
        for one in scans
    ]
    born_after = years_before(local_date(clock), people.LEADERBOARD_MIN_AGE)
    found = await queries.contexts(tx, asked, born_after)
    checked = [_check(found.get((one.serial, one.person_id)), one, clock) for one in scans]
    met = {
        one.person_id: (one, scan)
        for one, scan in zip(checked, scans, strict=True)
        if isinstance(one, CheckinContext)
    }
    walk_ins = {
        person: context
        for person, (context, scan) in met.items()
        if checkin_walk_ins.admits(context, marked=scan.may_walk_in)
    }
    barred = await checkin_walk_ins.barred(tx, walk_ins)
    results = await _record(tx, met, walk_ins.keys() - barred.keys(), at, clock)
    placeless = [
        (context.activity_id, person)
        for person, (context, _) in met.items()
        if person not in results and person not in barred
    ]
    refused: dict[UUID, Recorded | Refusal] = {**barred}
    refused |= await signups.placeless(tx, placeless)
    outcomes = refused | {person: _recorded(one) for person, one in results.items()}
    return [one if isinstance(one, Refusal) else outcomes[one.person_id] for one in checked]


def _recorded(result: "_Result") -> Recorded:
    one, shown = result.checkin, _to_out(result)
    if isinstance(one, NewCheckin):
        return Recorded(shown, result.is_new)
    return Recorded(shown, result.is_new, one.left_at, one.is_annulled)


def _check(context: CheckinContext | None, scan: Scan, at: datetime) -> CheckinContext | Refusal:
    """Return the context if a check-in is possible at this time, else the refusal."""
    if context is None or scan.issue not in (None, context.poster_issue):
        return CheckinCodeInvalid()
    if not context.has_session:
        return SessionNotFound()
    if not is_open(context.status, is_late=scan.came_at is not None):
        return ActivityNotOpen(
            status=context.status, starts_at=context.starts_at, ends_at=context.ends_at
        )
    opens, closes = context.starts_at - OPENS_BEFORE_START, context.ends_at + CLOSES_AFTER_END
    if not opens <= (scan.came_at or at) < closes:
        return OutsideWindow(opens_at=opens, closes_at=closes)
    refusal: Refusal | None = eligibility.needs_guardian() if context.lacks_consent else None
    if scan.issue is not None:
        refusal = refusal or checkin_places.refusal(context, scan.position)
    return refusal or (NotAClass() if context.strays else context)


@dataclass(frozen=True, slots=True)
class _Result:
    checkin: NewCheckin | ExistingCheckin
    award: Award | NewAward | None
    available: int
    pending: int
    is_new: bool


async def _record(
    tx: Session, met: Met, walk_ins: Collection[UUID], at: datetime, clock: datetime
) -> dict[UUID, _Result]:
    """Check in the people with a place; return their results, also of earlier check-ins.

    ``walk_ins``: who needs no place.
    """
    if not met:
        return {}
    wanted = [
        _checkin(context, scan, at, may_walk_in=person in walk_ins)
        for person, (context, scan) in met.items()
    ]
    is_new = await queries.insert(tx, wanted)
    new = [(met[one.person_id][0], one) for one in wanted if is_new.get(one.id)]
    known = [(met[one.person_id][0], one) for one in wanted if is_new.get(one.id) is False]
    results = await _award(tx, new, at, clock) | await _recall(tx, known, at)
    if new:
        presences = [(one.activity_id, one.version, one.session) for one, _ in new]
        await queries.count(tx, Counter.checkins, presences)
    return results


async def _award(
    tx: Session,
    new: Sequence[tuple[CheckinContext, NewCheckin]],
    at: datetime,
    clock: datetime,
) -> dict[UUID, _Result]:
    """Grant the awards of new check-ins. Those that wait for a check-out have none yet."""
    paid = [(context, one) for context, one in new if one.award_id is not None]
    waiting = [(context, one) for context, one in new if one.award_id is None]
    results = await _shown(tx, [(c, one, None) for c, one in waiting], at, is_new=True)
    if not paid:
        return results
    places = {(context.org_path, context.rule_key) for context, _ in paid}
    policies = await attendance.policies(tx, places, at)
    grants = [
        _grant(context, one, policies[context.org_path, context.rule_key], clock)
        for context, one in paid
    ]
    given = await granting.grant(tx, grants, at)
    await wording.tell_reviewers(tx, [one.award for one in given])
    return results | {
        one.person_id: _Result(
            checkin=one,
            award=granted.award,
            available=granted.available,
            pending=context.pending.get(granted.award.unit_id, 0)
            if granted.pending is None
            else granted.pending,
            is_new=True,
        )
        for (context, one), granted in zip(paid, given, strict=True)
    }


async def _recall(
    tx: Session, known: Sequence[tuple[CheckinContext, NewCheckin]], at: datetime
) -> dict[UUID, _Result]:
    """Return the results of earlier check-ins, with the present balances."""
    if not known:
        return {}
    presences = [(one.activity_id, one.session, one.person_id) for _, one in known]
    checkins = await queries.existing(tx, presences)
    found = await granting_queries.find_many(tx, [one.award_id for one in checkins if one.award_id])
    awards = {award.id: award for award in found}
    contexts = {one.person_id: context for context, one in known}
    return await _shown(
        tx,
        [
            (contexts[one.person_id], one, awards[one.award_id] if one.award_id else None)
            for one in checkins
        ],
        at,
        is_new=False,
    )


async def _shown(
    tx: Session,
    known: Sequence[tuple[CheckinContext, NewCheckin | ExistingCheckin, Award | None]],
    at: datetime,
    *,
    is_new: bool,
) -> dict[UUID, _Result]:
    """Return results with the present balances, in the unit of the award or of the rules."""
    if not known:
        return {}
    places = {(one.org_path, one.rule_key) for one, _, award in known if award is None}
    policies = await attendance.policies(tx, places, at) if places else {}
    balances = await reading_queries.balances(tx, sorted({one.person_id for _, one, _ in known}))
    results = {}
    for context, one, award in known:
        place = (context.org_path, context.rule_key)
        unit = policies[place].unit_id if award is None else award.unit_id
        results[one.person_id] = _Result(
            checkin=one,
            award=award,
            available=balances.get((one.person_id, Purpose.available, unit), 0),
            pending=balances.get((one.person_id, Purpose.pending, unit), 0),
            is_new=is_new,
        )
    return results


def _checkin(context: CheckinContext, scan: Scan, at: datetime, *, may_walk_in: bool) -> NewCheckin:
    latitude, longitude = checkin_places.spot(scan.position)
    return NewCheckin(
        id=new_id(),
        activity_id=context.activity_id,
        session=context.session,
        place=context.place,
        may_walk_in=may_walk_in,
        person_id=context.person_id,
        method=scan.method,
        distance_m=checkin_places.distance(context, scan.position),
        latitude=latitude,
        longitude=longitude,
        checked_in_at=at,
        came_at=scan.came_at,
        recorded_by=scan.recorded_by,
        award_id=None if context.checks_out else new_id(),
    )


def _grant(
    context: CheckinContext, checkin: NewCheckin, policy: PointsPolicy, clock: datetime
) -> Grant:
    """Return the grant of a check-in, from which on time is paid until the planned end."""
    assert checkin.award_id is not None, "check-ins that wait for a check-out are not paid"
    attended = rules.attended(checkin.came_at or clock, context.starts_at, context.ends_at)
    return attendance.grant(context, policy, checkin.award_id, "checkin", checkin.method, attended)


def _to_out(result: _Result) -> CheckinResultOut:
    return CheckinResultOut(
        checkin=CheckinOut.model_validate(result.checkin),
        award=None if result.award is None else wording.to_out(result.award),
        points=BalancesOut(available=result.available, pending=result.pending),
    )
