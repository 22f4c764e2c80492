"""Check-ins: a scanned code becomes attendance, an award, points and hours, in one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core import rotating_codes
from app.core.db import Session
from app.core.errors import Language, Refusal
from app.core.geo import distance_m, wgs84_to_gcj02
from app.core.ids import new_id
from app.core.rotating_codes import Action, RotatingCodes
from app.models.activities import ActivityStatus
from app.models.awards import AwardState
from app.models.checkins import CheckinMethod
from app.models.ledger import Purpose
from app.queries import activities as activity_queries
from app.queries import awards as award_queries
from app.queries import checkins as queries
from app.queries import ledger as ledger_queries
from app.queries.checkins import NewCheckin, Situation
from app.schemas.checkins import BalancesOut, CheckinOut, CheckinResultOut, PositionIn
from app.services import awards, policies
from app.services.activities import ActivityNotOpen
from app.services.awards import Grant
from app.services.ledger import POINTS
from app.services.policies import Rules

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


async def record(
    tx: Session, scans: Sequence[Scan], at: datetime, language: Language
) -> list[Recorded | Refusal]:
    """Record a list of scans in a fixed number of statements, one outcome each.

    Outcomes: Recorded, or CheckinCodeInvalid, ActivityNotOpen, OutsideWindow, NotSignedUp.
    """
    found = await queries.situations(tx, [(one.serial, one.person_id) for one in scans])
    looks = [_look(found.get((scan.serial, scan.person_id)), at) for scan in scans]
    open_pairs = [(s.activity_id, s.person_id) for s in looks if isinstance(s, Situation)]
    places = await queries.lock_places(tx, open_pairs) if open_pairs else set()
    accepted = {
        (look.activity_id, look.person_id): (look, scan)
        for look, scan in zip(looks, scans, strict=True)
        if isinstance(look, Situation) and (look.activity_id, look.person_id) in places
    }
    new = await _insert(tx, accepted, at)
    results = await _results(tx, list(accepted), language)
    outcomes: list[Recorded | Refusal] = []
    for look in looks:
        if isinstance(look, Refusal):
            outcomes.append(look)
            continue
        pair = (look.activity_id, look.person_id)
        if pair not in accepted:
            outcomes.append(NotSignedUp())
        else:
            outcomes.append(Recorded(results[pair], is_new=pair in new))
            new.discard(pair)  # a second scan in the same list is a repeat
    return outcomes


def _look(situation: Situation | None, at: datetime) -> Situation | Refusal:
    """Return the situation if a check-in may happen now, else the refusal."""
    if situation is None:
        return CheckinCodeInvalid()
    if situation.status != ActivityStatus.published:
        return ActivityNotOpen()
    opens, closes = situation.starts_at - OPENS_BEFORE_START, situation.ends_at + CLOSES_AFTER_END
    if not opens <= at < closes:
        return OutsideWindow()
    return situation


async def _insert(
    tx: Session, accepted: dict[Pair, tuple[Situation, Scan]], at: datetime
) -> set[Pair]:
    """Insert the check-ins that are new, with their awards; return their pairs."""
    if not accepted:
        return set()
    checkins = {
        pair: NewCheckin(
            id=new_id(),
            activity_id=pair[0],
            person_id=pair[1],
            method=CheckinMethod.rotating_code,
            distance_m=_distance(situation, scan.position),
            checked_in_at=at,
            award_id=new_id(),
        )
        for pair, (situation, scan) in accepted.items()
    }
    inserted = await queries.insert(tx, list(checkins.values()))
    new = [one for one in checkins.values() if one.id in inserted]
    if not new:
        return set()
    rules = await policies.in_force(tx, at)
    await awards.grant(
        tx,
        [_grant(accepted[(one.activity_id, one.person_id)][0], one, rules) for one in new],
        at,
    )
    await activity_queries.count_checkins(tx, Counter(one.activity_id for one in new))
    return {(one.activity_id, one.person_id) for one in new}


def _grant(situation: Situation, checkin: NewCheckin, rules: Rules) -> Grant:
    """Say what presence is worth.

    Hours count by the activity's length, in half hours, until a check-out measures them.
    """
    rule = rules.rules[situation.rule_key]
    halves = policies.half_hours(situation.starts_at, situation.ends_at)
    return Grant(
        id=checkin.award_id,
        reference=f"checkin:{situation.activity_id}:0:{situation.person_id}",
        person_id=situation.person_id,
        org_id=situation.org_id,
        rule=rule,
        points=policies.points_for_attendance(rule, halves),
        minutes=awards.attendance_minutes(rule, halves),
        # The rotating code proves presence: available at once.
        state=AwardState.available,
        title=f"{rule.name_zh}：{situation.title}",
    )


def _distance(situation: Situation, position: PositionIn | None) -> int | None:
    if position is None or situation.latitude is None or situation.longitude is None:
        return None
    here = (position.latitude, position.longitude)
    if position.coordinate_system == "wgs84":
        here = wgs84_to_gcj02(*here)
    return round(distance_m(here, (situation.latitude, situation.longitude)))


async def _results(
    tx: Session, pairs: Sequence[Pair], language: Language
) -> dict[Pair, CheckinResultOut]:
    """Read what the check-ins of the pairs came to; the same for new and for repeated ones."""
    if not pairs:
        return {}
    checkins = await queries.existing(tx, pairs)
    given = {
        award.id: award
        for award in await award_queries.find_many(tx, [c.award_id for c in checkins.values()])
    }
    balances = await ledger_queries.balances(tx, sorted({person for _, person in pairs}))
    return {
        pair: CheckinResultOut(
            checkin=CheckinOut.model_validate(checkin),
            award=awards.shown(given[checkin.award_id], language),
            points=BalancesOut(
                available=balances.get((pair[1], Purpose.available, POINTS), 0),
                pending=balances.get((pair[1], Purpose.pending, POINTS), 0),
            ),
        )
        for pair, checkin in checkins.items()
    }
