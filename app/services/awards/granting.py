"""Granting: what a rule gives, cut to what the caps leave, posted to the ledger.

Over a cap the award is still written, with what the cap left (perhaps 0) and the reason;
hours of service always count in full. What the fund cannot pay waits for it to be filled.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import period_start
from app.core.db import Session
from app.core.ids import new_id
from app.models.awards import AwardReason, AwardState
from app.models.ledger import Purpose
from app.queries.awards import granting as queries
from app.queries.awards.granting import NewAward, Tally
from app.schemas.policies import Proof, Release, Rule
from app.services.awards import caps
from app.services.awards.postings import (
    award_posting,
    hours_accounts,
    minutes_posting,
)
from app.services.ledger import posting
from app.services.ledger.posting import Locked
from app.services.ledger.types import AccountKey, Posted
from app.services.policies.rules import PointsPolicy


@dataclass(frozen=True, slots=True)
class Grant:
    """A command: give ``person_id`` what ``rule`` of ``policy`` says, within its caps.

    ``points`` is before caps; ``minutes`` of volunteering are never capped. ``proof`` is
    what the act is known by: the policy says what an award by it waits for. ``title`` is
    what the passbook says of it.
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
    id: UUID = field(default_factory=new_id)  # of the award and of its transfer

    @property
    def release(self) -> Release:
        return self.policy.release(self.rule, self.proof)

    @property
    def reviews_needed(self) -> int:
        return self.release.reviewers_for(self.points)

    def state(self) -> AwardState:
        """Return the state that it begins in, where the fund can pay."""
        return first_state(self.release, self.points)

    def release_at(self, at: datetime) -> datetime | None:
        """Return when its points become available, if only time must pass."""
        if self.reviews_needed or self.state() is AwardState.available:
            return None
        return at + timedelta(hours=self.release.wait_hours, days=self.release.notice_days)

    @property
    def available(self) -> AccountKey:
        """The person's spendable points."""
        return AccountKey(self.person_id, Purpose.available, self.policy.unit_id)

    @property
    def account(self) -> AccountKey:
        """The person's account that the points go to."""
        if self.state() is AwardState.available:
            return self.available
        return AccountKey(self.person_id, Purpose.pending, self.policy.unit_id)

    @property
    def fund(self) -> AccountKey:
        return AccountKey(self.org_id, self.policy.fund, self.policy.unit_id)


@dataclass(frozen=True, slots=True)
class Granted:
    """``balance``: of the account that the points went to, afterwards."""

    award: NewAward
    balance: int


def first_state(release: Release, points: int) -> AwardState:
    """Return the state in which an award of so many points (before caps) begins."""
    if release.reviewers_for(points):
        return AwardState.pending
    if release.notice_days:
        return AwardState.notice  # shown while its hours pass too
    return AwardState.pending if release.wait_hours else AwardState.available


async def grant(tx: Session, grants: Sequence[Grant], at: datetime) -> list[Granted]:
    """Award a list, one Granted each, in a fixed number of statements.

    The accounts are locked before the caps are summed: two awards to one person, in two
    transactions, cannot both see the room that is left for one. Callers see to it that a
    reference is new.
    """
    if not grants:
        return []
    locked = await posting.lock(tx, (key for one in grants for key in _accounts(one)))
    tallies = await queries.tallies(
        tx,
        sorted({one.person_id for one in grants}),
        day=period_start(at, "day"),
        month=period_start(at, "month"),
        year=period_start(at, "year"),
    )
    budgets = await _budgets(tx, grants, locked)
    had = await _had(tx, grants, at)
    awards = []
    for one in grants:
        mine = tallies.setdefault((one.person_id, one.policy.unit_id), {})
        points, reason = caps.apply_caps(one.policy, one.rule, one.points, mine, had=one.id in had)
        mine[one.rule.key] = mine.get(one.rule.key, Tally()).plus(points)
        state = one.state() if budgets.pays(one.fund, points) else AwardState.pending_budget
        awards.append(_award(one, points, reason, state, at))
    await queries.insert(tx, awards)
    await _post(tx, grants, awards, locked, at)
    return [
        Granted(award, locked[one.account].balance)
        for one, award in zip(grants, awards, strict=True)
    ]


class _Budgets:
    """What limited funds have left for the awards of a list, in its order.

    Who waits already is paid first: while somebody does, a fund pays nobody who comes now.
    """

    def __init__(self, left: dict[AccountKey, int]) -> None:
        self._left = left

    def pays(self, fund: AccountKey, points: int) -> bool:
        if fund.purpose is not Purpose.budget or points == 0:
            return True
        if self._left[fund] < points:
            self._left[fund] = 0  # who comes after waits behind
            return False
        self._left[fund] -= points
        return True


async def _budgets(tx: Session, grants: Sequence[Grant], locked: Locked) -> _Budgets:
    limited = sorted({one.fund for one in grants if one.fund.purpose is Purpose.budget})
    if not limited:
        return _Budgets({})
    owing = await queries.unpaid(tx, [(key.owner_id, key.unit_id) for key in limited])
    return _Budgets(
        {key: 0 if (key.owner_id, key.unit_id) in owing else locked[key].balance for key in limited}
    )


async def _had(tx: Session, grants: Sequence[Grant], at: datetime) -> set[UUID]:
    """Return which grants are by a rule that gives once, and gave before."""
    asked = {
        one.id: (
            one.person_id,
            one.policy.unit_id,
            one.rule.key,
            *caps.once(one.rule, one.org_id, at),
        )
        for one in grants
        if one.rule.per in caps.ONCE
    }
    if not asked:
        return set()
    ids = list(asked)
    return {ids[place] for place in await queries.had(tx, list(asked.values()))}


def _accounts(one: Grant) -> list[AccountKey]:
    """Name every account that the grant may move, so that all are locked in one statement.

    The person's spendable points are among them even where the award waits first: whoever
    gives to one person locks this one account, or caps would be summed beside each other.
    """
    keys = [one.fund, one.account, one.available]
    if one.minutes:
        keys += hours_accounts(one.org_id, one.person_id)
    return keys


def _award(
    one: Grant, points: int, reason: AwardReason, state: AwardState, at: datetime
) -> NewAward:
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
        if award.minutes and one.state() is AwardState.available:
            postings.append(minutes_posting(award, one.title))
    for outcome in await posting.post(tx, postings, at, locked, new=True):
        assert isinstance(outcome, Posted), "the fund was asked, and the reference is new"
