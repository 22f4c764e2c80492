"""Check-outs: the end of a presence; the time since the check-in becomes points and hours."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.models.awards import Award
from app.models.checkins import CLOSES_AFTER_END
from app.models.checkouts import Departure
from app.models.ledger import Purpose
from app.queries import checkins as checkin_queries
from app.queries import checkouts as queries
from app.queries.awards import granting as granting_queries
from app.queries.awards.granting import NewAward
from app.queries.checkins import Counter
from app.queries.checkouts import ExistingCheckout, NewCheckout, Presence
from app.queries.ledger import reading as reading_queries
from app.schemas.checkins import BalancesOut
from app.schemas.checkouts import CheckoutResultOut, PresenceOut
from app.services import notify
from app.services.activities import ActivityNotOpen, CheckoutNotAsked, is_open
from app.services.awards import attendance, granting, wording
from app.services.awards.granting import Grant
from app.services.checkin_codes import CheckinCodeInvalid
from app.services.corrections import CheckinAnnulled
from app.services.notify import Message
from app.services.policies import rules
from app.services.policies.rules import PointsPolicy


class NotCheckedIn(Refusal):
    code, status, title = "checkouts.not_checked_in", 409, "Not checked in"
    zh, en = "您尚未签到", "You have not checked in."


class CheckoutOver(Refusal):
    code, status, title = "checkouts.over", 409, "Too late to check out"
    zh, en = (
        "已过签退时间，请联系组织者更正",
        "It is too late to check out; ask the organizer for a correction.",
    )
    fact_names = ("closes_at",)


@dataclass(frozen=True, slots=True)
class Leave:
    """A command: the person leaves the activity with this serial.

    ``recorded_by``: who checks the person out, if not the person. ``left_at``: when, if that is
    not now. ``session``: None: the one in which the person is.
    """

    serial: int
    person_id: UUID
    departure: Departure = Departure.rotating_code
    recorded_by: UUID | None = None
    left_at: datetime | None = None
    session: int | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """``is_new`` is False if the person had checked out before; this is then the first result."""

    result: CheckoutResultOut
    is_new: bool


def conflict_keys(one: Leave) -> Iterable[Hashable]:
    """Return the conflict keys of a command: the person."""
    return (one.person_id,)


async def record(tx: Session, leaves: Sequence[Leave], at: datetime) -> list[Left | Refusal]:
    """Check out a batch of people in a fixed number of statements, one outcome each.

    ``at`` dates check-outs and awards; the time of leaving goes by the clock (``moments``).
    Precondition: no two share a conflict key. Outcomes: Left, or CheckinCodeInvalid,
    CheckoutNotAsked, NotCheckedIn, CheckinAnnulled, ActivityNotOpen, CheckoutOver. Raises Retry
    if an activity changes meanwhile.
    """
    clock = now()
    found = await queries.presences(
        tx, [(one.serial, one.person_id, one.session) for one in leaves]
    )
    checked = [
        _check(
            found.get((one.serial, one.person_id)),
            one.left_at or clock,
            is_late=one.left_at is not None,
        )
        for one in leaves
    ]
    ending = [
        (presence, _checkout(presence, one.departure, one.left_at or clock, at, one.recorded_by))
        for presence, one in zip(checked, leaves, strict=True)
        if isinstance(presence, Presence)
    ]
    results = await _end(tx, ending, at)
    return [one if isinstance(one, Refusal) else results[one.person_id] for one in checked]


async def close_forgotten(tx: Session, at: datetime, limit: int) -> int:
    """End presences of sessions that are over, as the points rules say; return how many.

    The people are told, so that they can ask the organizer for a correction.
    """
    open_ones = await queries.forgotten(tx, at, limit)
    first = {one.person_id: one for one in reversed(open_ones)}  # one of each person at a time
    ending = [
        (one, _checkout(one, Departure.forgotten, one.ends_at, at, None)) for one in first.values()
    ]
    results = await _end(tx, ending, at)
    told = [
        Message(one.person_id, ("activity", one.activity_id), {"title": one.title})
        for one in first.values()
        if results[one.person_id].is_new
    ]
    await notify.send_each(tx, "checkout_forgotten", told)
    return len(open_ones) if len(first) == len(open_ones) else limit


def _check(presence: Presence | None, at: datetime, *, is_late: bool) -> Presence | Refusal:
    """Return the presence if a check-out is possible at this time, else the refusal."""
    if presence is None:
        return CheckinCodeInvalid()
    if not presence.checks_out:
        return CheckoutNotAsked()
    if presence.checkin_id is None or presence.is_annulled:
        return CheckinAnnulled() if presence.is_annulled else NotCheckedIn()
    if presence.checkout_id is not None:
        return presence
    if not is_open(presence.status, is_late=is_late):
        return ActivityNotOpen(
            status=presence.status, starts_at=presence.starts_at, ends_at=presence.ends_at
        )
    closes = presence.ends_at + CLOSES_AFTER_END
    return presence if at < closes else CheckoutOver(closes_at=closes)


def _checkout(
    one: Presence, departure: Departure, left_at: datetime, at: datetime, recorded_by: UUID | None
) -> NewCheckout:
    assert one.checkin_id is not None
    assert one.came_at is not None, "a check-in has a time"
    return NewCheckout(
        id=new_id(),
        checkin_id=one.checkin_id,
        activity_id=one.activity_id,
        session=one.session,
        person_id=one.person_id,
        departure=departure,
        left_at=max(left_at, one.came_at),
        recorded_at=at,
        recorded_by=recorded_by,
        award_id=new_id(),
    )


async def _end(
    tx: Session, ending: Sequence[tuple[Presence, NewCheckout]], at: datetime
) -> dict[UUID, Left]:
    """Write check-outs, one of a person at most; grant their awards; return the results."""
    if not ending:
        return {}
    places = {(one.org_path, one.rule_key) for one, _ in ending}
    policies = await attendance.policies(tx, places, at)
    priced = []
    for presence, one in ending:
        policy = policies[presence.org_path, presence.rule_key]
        grant = _grant(presence, one, policy)
        priced.append((presence, one if _pays(one, grant) else one._replace(award_id=None), grant))
    first = await queries.insert(tx, [one for _, one, _ in priced])
    new = [triple for triple in priced if triple[1].id in first]
    given = await granting.grant(tx, [grant for _, one, grant in new if one.award_id], at)
    awards = {one.award.id: one.award for one in given}
    await wording.tell_reviewers(tx, list(awards.values()))
    known = [presence for presence, one, _ in priced if one.id not in first]
    results = await _shown(tx, [(p, one, g.policy) for p, one, g in new], awards, is_new=True)
    results |= await _recall(tx, known, policies)
    if new:
        presences = [(one.activity_id, one.version, one.session) for one, _, _ in new]
        await checkin_queries.count(tx, Counter.checkouts, presences)
    return results


def _pays(one: NewCheckout, grant: Grant) -> bool:
    """Whether there is an award: always of who checked out, of the others if anything counts."""
    return one.departure != Departure.forgotten or grant.points > 0 or grant.minutes > 0


def _grant(presence: Presence, one: NewCheckout, policy: PointsPolicy) -> Grant:
    """Return the grant for the time from the check-in to the check-out, within the session."""
    assert presence.came_at is not None
    assert one.award_id is not None
    ends_at, proof = min(presence.ends_at, one.left_at), one.departure
    if one.departure == Departure.forgotten:  # what is paid was proven by the check-in
        assert presence.method is not None
        proof = presence.method
        counted = timedelta(minutes=policy.document.attendance.forgotten_minutes)
        ends_at = min(ends_at, max(presence.came_at, presence.starts_at) + counted)
    attended = rules.attended(presence.came_at, presence.starts_at, ends_at)
    return attendance.grant(presence, policy, one.award_id, "checkout", proof, attended)


async def _recall(
    tx: Session, known: Sequence[Presence], policies: attendance.Policies
) -> dict[UUID, Left]:
    """Return the results of earlier check-outs, with the present balances."""
    if not known:
        return {}
    by_checkin = {one.checkin_id: one for one in known}
    checkouts = await queries.existing(tx, [one for one in by_checkin if one is not None])
    found = await granting_queries.find_many(tx, [o.award_id for o in checkouts if o.award_id])
    shown = []
    for one in checkouts:
        presence = by_checkin[one.checkin_id]
        shown.append((presence, one, policies[presence.org_path, presence.rule_key]))
    return await _shown(tx, shown, {award.id: award for award in found}, is_new=False)


async def _shown(
    tx: Session,
    ended: Sequence[tuple[Presence, NewCheckout | ExistingCheckout, PointsPolicy]],
    awards: dict[UUID, NewAward] | dict[UUID, Award],
    *,
    is_new: bool,
) -> dict[UUID, Left]:
    if not ended:
        return {}
    balances = await reading_queries.balances(tx, sorted({one.person_id for _, one, _ in ended}))
    results = {}
    for presence, one, policy in ended:
        award = awards[one.award_id] if one.award_id else None
        unit = policy.unit_id if award is None else award.unit_id
        counted = max(timedelta(0), min(one.left_at, presence.ends_at) - _began(presence))
        results[one.person_id] = Left(
            CheckoutResultOut(
                checkin=PresenceOut(
                    id=one.checkin_id,
                    activity_id=presence.activity_id,
                    session=presence.session,
                    checked_in_at=_came(presence),
                    checked_out_at=one.left_at,
                    departure=Departure(one.departure),
                    minutes=counted // timedelta(minutes=1),
                ),
                award=None if award is None else wording.to_out(award),
                points=BalancesOut(
                    available=balances.get((one.person_id, Purpose.available, unit), 0),
                    pending=balances.get((one.person_id, Purpose.pending, unit), 0),
                ),
            ),
            is_new,
        )
    return results


def _came(presence: Presence) -> datetime:
    assert presence.came_at is not None
    return presence.came_at


def _began(presence: Presence) -> datetime:
    return max(_came(presence), presence.starts_at)
