"""Granting: what a rule gives, cut to what the caps leave, posted to the ledger.

Over a cap the award is still written, with what the cap left (perhaps 0) and the reason;
hours of service always count in full.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.core.clock import local_date, month_start, period_start
from app.core.db import Session
from app.core.ids import new_id
from app.models.awards import Award, AwardReason, AwardState
from app.models.ledger import Kind, Purpose
from app.models.policies import PolicyRule
from app.queries import awards as queries
from app.queries.awards import NewAward, Tally
from app.services import ledger, policies
from app.services.ledger import MINUTES, AccountKey, Locked, Posted, Posting
from app.services.policies import Rules


@dataclass(frozen=True, slots=True)
class Grant:
    """A command: give ``person_id`` what ``rule`` says, at most what the caps leave.

    ``points`` is before caps; ``minutes`` of volunteering are never capped.
    ``title`` is what the passbook says of it.
    """

    reference: str
    person_id: UUID
    org_id: UUID
    rule: PolicyRule
    points: int
    minutes: int
    state: AwardState
    title: str
    evidence: dict[str, str] = field(default_factory=dict)
    proposed_by: UUID | None = None
    id: UUID = field(default_factory=new_id)  # of the award and of its transfer

    @property
    def purpose(self) -> Purpose:
        return Purpose.available if self.state is AwardState.available else Purpose.pending


@dataclass(frozen=True, slots=True)
class Granted:
    """``balance``: of the account that the points went to, afterwards."""

    award: NewAward
    balance: int


async def grant(tx: Session, grants: Sequence[Grant], rules: Rules, at: datetime) -> list[Granted]:
    """Award a list, one Granted each, in a fixed number of statements.

    The accounts are locked before the caps are summed: two awards to one person, in two
    transactions, cannot both see the room that is left for one. Callers see to it that a
    reference is new.
    """
    if not grants:
        return []
    locked = await ledger.lock(tx, (key for one in grants for key in _accounts(one)))
    tallies = await queries.tallies(
        tx,
        sorted({one.person_id for one in grants}),
        day=period_start(at, "day"),
        month=period_start(at, "month"),
        year=period_start(at, "year"),
    )
    awards = []
    for one in grants:
        mine = tallies.setdefault(one.person_id, {})
        points, reason = _within_caps(rules, one, mine)
        mine[one.rule.key] = mine.get(one.rule.key, Tally()).plus(points)
        awards.append(_award(one, rules, points, reason, at))
    await queries.insert(tx, awards)
    await _post(tx, grants, awards, locked, rules, at)
    return [
        Granted(award, locked[AccountKey(one.person_id, one.purpose)].balance)
        for one, award in zip(grants, awards, strict=True)
    ]


def attendance_minutes(rule: PolicyRule, halves: int) -> int:
    """Return the minutes of service that an attendance counts, in whole half hours."""
    return halves * 30 if policies.counts_hours(rule) else 0


def _accounts(one: Grant) -> list[AccountKey]:
    """Name every account that the grant may move, so that all are locked in one statement."""
    keys = [AccountKey(one.org_id, Purpose.fund), AccountKey(one.person_id, one.purpose)]
    if one.minutes:
        keys += [
            AccountKey(one.org_id, Purpose.fund, MINUTES),
            AccountKey(one.person_id, Purpose.available, MINUTES),
        ]
    return keys


def _within_caps(rules: Rules, one: Grant, mine: dict[str, Tally]) -> tuple[int, AwardReason]:
    """Return the points that every cap leaves, and the cap that bound tightest.

    ``mine`` is what the person earned by each rule so far.
    """
    by_rule = mine.get(one.rule.key, Tally())
    overall = sum(mine.values(), Tally())
    emergency = one.rule.key == policies.EMERGENCY_RULE or (
        policies.EMERGENCY_RULE in mine and mine[policies.EMERGENCY_RULE].day > 0
    )
    policy = rules.policy
    room = [
        (one.rule.cap_day, by_rule.day, AwardReason.cap_day),
        (one.rule.cap_month, by_rule.month, AwardReason.cap_month),
        (one.rule.cap_year, by_rule.year, AwardReason.cap_year),
        (
            policy.emergency_cap_day if emergency else policy.cap_day,
            overall.day,
            AwardReason.overall_day,
        ),
        (policy.cap_month, overall.month, AwardReason.overall_month),
        (policy.cap_year, overall.year, AwardReason.overall_year),
    ]
    points, reason = one.points, AwardReason.full
    for cap, so_far, why in room:
        if cap is not None and max(cap - so_far, 0) < points:
            points, reason = max(cap - so_far, 0), why
    return points, reason


def _award(one: Grant, rules: Rules, points: int, reason: AwardReason, at: datetime) -> NewAward:
    return NewAward(
        id=one.id,
        reference=one.reference,
        person_id=one.person_id,
        org_id=one.org_id,
        rule_key=one.rule.key,
        policy_version=rules.policy.version,
        points=points,
        points_before_caps=one.points,
        minutes=one.minutes,
        state=one.state,
        reason=reason,
        evidence=json.dumps(one.evidence),
        proposed_by=one.proposed_by,
        awarded_at=at,
    )


async def _post(
    tx: Session,
    grants: Sequence[Grant],
    awards: Sequence[NewAward],
    locked: Locked,
    rules: Rules,
    at: datetime,
) -> None:
    expires_at = lot_expiry(rules, at)
    postings = []
    for one, award in zip(grants, awards, strict=True):
        if award.points:
            postings.append(_points_posting(one, award, expires_at))
        if award.minutes and award.state == AwardState.available:
            postings.append(minutes_posting(award, one.title))
    for outcome in await ledger.post(tx, postings, at, locked, new=True):
        assert isinstance(outcome, Posted), "a fund has no floor and the reference is new"


def _points_posting(one: Grant, award: NewAward, expires_at: datetime) -> Posting:
    return Posting(
        id=award.id,
        payer=AccountKey(one.org_id, Purpose.fund),
        payee=AccountKey(one.person_id, one.purpose),
        amount=award.points,
        kind=Kind.award,
        reason=one.title,
        reference=one.reference,
        source_type="award",
        source_id=award.id,
        org_id=one.org_id,
        expires_at=expires_at if one.purpose is Purpose.available else None,
    )


def minutes_posting(award: Award | NewAward, title: str) -> Posting:
    """Post the hours of an available award; those of a pending one wait for its approval."""
    return Posting(
        id=minutes_id(award.id),
        payer=AccountKey(award.org_id, Purpose.fund, MINUTES),
        payee=AccountKey(award.person_id, Purpose.available, MINUTES),
        amount=award.minutes,
        kind=Kind.award,
        reason=title,
        reference=f"minutes:{award.id}",
        source_type="award",
        source_id=award.id,
        org_id=award.org_id,
    )


def minutes_id(award_id: UUID) -> UUID:
    """Derive the id of the transfer of an award's minutes from the award's, to find it again."""
    return UUID(int=award_id.int ^ 1)


def lot_expiry(rules: Rules, at: datetime) -> datetime:
    """Return when a lot made now expires: the end of the month 24 months on."""
    day = local_date(at)
    return month_start(day.year, day.month, plus=rules.policy.lot_months + 1)
