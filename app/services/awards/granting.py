"""Granting: the points of a rule, reduced by caps, are posted to the ledger.

An award over a cap is written with the remaining points (possibly 0) and the reason. Hours of
service are never capped. If the fund cannot pay, the award waits until the fund has enough.

An award that waits for reviewers fills no cap: it is written with what the caps leave to anybody
at most, and ``cutting`` cuts it to what is left when it is approved.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from app.core.db import Session
from app.core.ids import new_id
from app.core.spans import Span
from app.models.awards import AwardReason, AwardState
from app.models.ledger import Purpose
from app.queries.awards import attended_times
from app.queries.awards import granting as queries
from app.queries.awards.attended_times import Attendance
from app.queries.awards.granting import NewAward, OnceAsked, Tally
from app.schemas.policies.documents import Proof, Release, Rule
from app.services.awards import caps
from app.services.awards.budgets import Budgets
from app.services.awards.postings import award_posting, hours_accounts, minutes_posting
from app.services.ledger import posting
from app.services.ledger.posting import Locked
from app.services.ledger.types import AccountKey, Posted
from app.services.policies import rules
from app.services.policies.rules import PointsPolicy


@dataclass(frozen=True)
class Grant:
    """A command: give ``person_id`` what ``rule`` of ``policy`` says, within its caps.

    ``points`` is before caps; ``minutes`` of volunteering are never capped. ``proof`` is how
    the act was proven: the policy's conditions for release depend on it. ``title`` is the text
    in the passbook. ``attended``: points and minutes are for this time, and become less if some
    of it was counted before. ``is_own_act``: the person has a part in what proves the act, so that
    at least one other person must confirm it. ``counted_before``: of the attended time nothing is
    left that would bring points. What follows from these is computed once.
    """

    reference: str
    person_id: UUID
    org_id: UUID
    policy: PointsPolicy
    rule: Rule
    points: int
    minutes: int
    proof: Proof
    title: str
    evidence: dict[str, str] = field(default_factory=dict)
    proposed_by: UUID | None = None
    proposal_id: UUID | None = None
    attended: Span | None = None
    is_own_act: bool = False
    counted_before: bool = False
    id: UUID = field(default_factory=new_id)  # of the award and of its transfer

    def worth(self, attended: timedelta) -> "Grant":
        """Return the grant for so much of its attended time."""
        halves = rules.half_hours(attended)
        points = rules.points_for_attendance(self.rule, halves)
        minutes = rules.attendance_minutes(self.rule, halves)
        nothing_left = points == 0 < self.points
        return replace(self, points=points, minutes=minutes, counted_before=nothing_left)

    @cached_property
    def release(self) -> Release:
        release = self.policy.release(self.rule, self.proof)
        return confirmed(release) if self.is_own_act else release

    @cached_property
    def reviews_needed(self) -> int:
        return self.release.reviewers_for(self.points)

    @cached_property
    def state(self) -> AwardState:
        """The award's first state, if the fund can pay."""
        return first_state(self.release, self.points)

    @cached_property
    def hours_at_once(self) -> bool:
        """Whether the minutes count now: attendance is proven, what reviewers doubt are points."""
        if self.state is AwardState.available:
            return True
        waits_for_time = self.release.wait_hours or self.release.notice_days
        return self.proof != "manual" and not waits_for_time

    def release_at(self, at: datetime) -> datetime | None:
        """Return when the points become available, if only time must pass."""
        if self.reviews_needed or self.state is AwardState.available:
            return None
        return at + timedelta(hours=self.release.wait_hours, days=self.release.notice_days)

    @cached_property
    def available(self) -> AccountKey:
        """The person's account of spendable points."""
        return AccountKey(self.person_id, Purpose.available, self.policy.unit_id)

    @cached_property
    def account(self) -> AccountKey:
        """The person's account that receives the points."""
        if self.state is AwardState.available:
            return self.available
        return AccountKey(self.person_id, Purpose.pending, self.policy.unit_id)

    @cached_property
    def fund(self) -> AccountKey:
        return AccountKey(self.org_id, self.policy.fund, self.policy.unit_id)


@dataclass(frozen=True, slots=True)
class Granted:
    """``available``, ``pending``: the person's balances afterwards; pending only if it changed.

    ``left``: what the caps leave now, less than the points of an award that waits for reviewers
    if it would be cut now.
    """

    award: NewAward
    available: int
    pending: int | None
    left: int


def confirmed(release: Release) -> Release:
    """Return the conditions with at least one reviewer: the person has a part in the proof."""
    return release if release.reviewers else release.model_copy(update={"reviewers": 1})


def first_state(release: Release, points: int) -> AwardState:
    """Return the first state of an award of ``points`` (before caps)."""
    if release.reviewers_for(points):
        return AwardState.pending
    if release.notice_days:
        return AwardState.notice  # also while its wait_hours pass: the notice is public
    return AwardState.pending if release.wait_hours else AwardState.available


async def grant(tx: Session, grants: Sequence[Grant], at: datetime) -> list[Granted]:
    """Grant a batch of awards, one Granted each, in a fixed number of statements.

    The accounts are locked before the caps are summed: otherwise two concurrent awards to one
    person could exceed a cap together. Callers must ensure that references are new.
    """
    if not grants:
        return []
    locked = await posting.lock(tx, (key for one in grants for key in _accounts(one)), at)
    grants = await _measured(tx, grants)
    everybody = sorted({one.person_id for one in grants})
    tallies = await queries.tallies(tx, everybody, caps.spans(at))
    budgets = await _budgets(tx, grants, locked)
    had = await _had(tx, grants, at)
    awards, left = [], []
    for one in grants:
        mine = tallies.setdefault((one.person_id, one.policy.unit_id), {})
        points, reason = caps.apply_caps(one.policy, one.rule, one.points, mine, had=one.id in had)
        left.append(points)
        if one.reviews_needed:
            points, reason = caps.apply_caps(one.policy, one.rule, one.points, {}, had=False)
        else:
            mine[one.rule.key] = mine.get(one.rule.key, Tally()).plus(points)
        state = one.state if budgets.pays(one.fund, points) else AwardState.pending_budget
        awards.append(_award(one, points, reason, state, at))
    await queries.insert(tx, awards)
    await _post(tx, grants, awards, locked, at)
    return [
        Granted(award, *_balances(one, locked), now_left)
        for one, award, now_left in zip(grants, awards, left, strict=True)
    ]


async def _measured(tx: Session, grants: Sequence[Grant]) -> list[Grant]:
    """Count the attended time that was not counted before, and return what it is worth.

    Less time never needs more reviewers: the accounts that were locked are still the right ones.
    """
    wanted = [
        Attendance(one.id, one.person_id, not one.rule.hours, *one.attended)
        for one in grants
        if one.attended is not None and rules.by_time(one.rule)
    ]
    if not wanted:
        return list(grants)
    lengths = await attended_times.count(tx, wanted, least=rules.HALF_HOUR)
    return [one.worth(lengths[one.id]) if one.id in lengths else one for one in grants]


def _balances(one: Grant, locked: Locked) -> tuple[int, int | None]:
    """Return what the person has available, and pending if the grant is."""
    pending = None if one.account == one.available else locked[one.account].balance
    return locked[one.available].balance, pending


async def _budgets(tx: Session, grants: Sequence[Grant], locked: Locked) -> Budgets:
    limited = sorted({one.fund for one in grants if one.fund.purpose is Purpose.budget})
    if not limited:
        return Budgets({})
    owing = await queries.unpaid(tx, [(key.owner_id, key.unit_id) for key in limited])
    return Budgets(
        {key: 0 if (key.owner_id, key.unit_id) in owing else locked[key].balance for key in limited}
    )


async def _had(tx: Session, grants: Sequence[Grant], at: datetime) -> set[UUID]:
    """Return the grants whose rule gives once and gave before."""
    asked = {
        one.id: OnceAsked(
            one.person_id,
            one.policy.unit_id,
            one.rule.key,
            caps.once(one.rule, one.org_id, at),
        )
        for one in grants
        if one.rule.per in caps.ONCE
    }
    if not asked:
        return set()
    ids = list(asked)
    return {ids[place] for place in await queries.had(tx, list(asked.values()))}


def _accounts(one: Grant) -> list[AccountKey]:
    """Return all accounts that the grant may change, to lock them in one statement.

    They include the person's spendable points even if the award is not available yet: this
    account serializes all awards to a person, so that caps are summed one after the other.
    """
    keys = [one.fund, one.account, one.available]
    if one.minutes:
        keys += hours_accounts(one.org_id, one.person_id)
    return keys


def _award(
    one: Grant, points: int, reason: AwardReason, state: AwardState, at: datetime
) -> NewAward:
    if one.counted_before and reason is AwardReason.full:
        reason = AwardReason.counted_before
    return NewAward(
        id=one.id,
        reference=one.reference,
        person_id=one.person_id,
        org_id=one.org_id,
        unit_id=one.policy.unit_id,
        rule_key=one.rule.key,
        policy_version=one.policy.version,
        points=points,
        points_before_caps=one.points,
        minutes=one.minutes,
        hours_at_once=one.hours_at_once,
        state=state,
        reason=reason,
        title=one.title,
        evidence=json.dumps(one.evidence, ensure_ascii=False),
        proposed_by=one.proposed_by,
        proposal_id=one.proposal_id,
        awarded_at=at,
        reviews_needed=one.reviews_needed,
        wait_hours=one.release.wait_hours,
        notice_days=one.release.notice_days,
        release_at=one.release_at(at),
    )


async def _post(
    tx: Session,
    grants: Sequence[Grant],
    awards: Sequence[NewAward],
    locked: Locked,
    at: datetime,
) -> None:
    postings = []
    for one, award in zip(grants, awards, strict=True):
        if award.points and award.state is not AwardState.pending_budget:
            postings.append(award_posting(award, one.fund, one.account, one.policy, at))
        if award.minutes and award.hours_at_once:
            postings.append(minutes_posting(award, one.title))
    for outcome in await posting.post(tx, postings, at, locked, new=True):
        assert isinstance(outcome, Posted), "the fund was asked, and the reference is new"
