"""Replay: what past acts would have given under a draft, one person at a time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from app.core.spans import Span
from app.models.awards import AwardReason, AwardState
from app.queries.awards.attendance import Act
from app.schemas.policies.documents import Proof, Rule
from app.services.awards import caps
from app.services.awards.attendance import PROOFS
from app.services.awards.earned import CountedTime, RunningTotals
from app.services.awards.granting import confirmed, first_state
from app.services.awards.proposals import ProposalItem, minutes, mistakes_in, numbers_of, worth
from app.services.policies import rules
from app.services.policies.history import Draft, PolicyMissing
from app.services.policies.rules import PointsPolicy


class Ineligibility(StrEnum):
    """Why an act would give no award."""

    # the draft has no such rule, switches it off, or attendance alone does not meet it
    no_rule = "no_rule"
    # evidence required by the draft is missing, or the draft has no such grade
    evidence = "evidence"
    number = "number"  # the draft lets a number count once, and an earlier act has used it


@dataclass(frozen=True, slots=True)
class Replayed:
    """What an act would have given, and the first state of its award."""

    points_before_caps: int
    points: int
    minutes: int
    reason: AwardReason
    proof: Proof
    state: AwardState


# None: the policy of the act does not depend on the draft.
Outcome = Replayed | Ineligibility | None


class Claim(NamedTuple):
    """The result of a rule for an act, before caps."""

    rule: Rule
    points: int
    minutes: int
    proof: Proof


class Replay:
    """Past acts under a draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._unit_id = draft.policy.unit_id
        self._policies: dict[str, PointsPolicy | None] = {}
        self._numbers: dict[tuple[str, str, str], UUID] = {}

    def policy(self, org_path: str) -> PointsPolicy | None:
        """Return the policy that would be in force; None if it does not depend on the draft."""
        if org_path not in self._policies:
            self._policies[org_path] = self._draft.policy_at(org_path)
        return self._policies[org_path]

    def is_limited(self, org_path: str) -> bool:
        """Whether an organisation's fund would issue only what it received."""
        policy = self.policy(org_path)
        return policy is not None and policy.document.fund.limited

    @property
    def rules_with_numbers(self) -> list[str]:
        """The rules of the draft with numbers that count once."""
        return [key for key, rule in self._draft.policy.document.rules.items() if rule.unique]

    @property
    def rules_once_in_a_life(self) -> list[str]:
        listed = self._draft.policy.document.rules.items()
        return [key for key, rule in listed if rule.per == "once"]

    def note_numbers(self, act: Act) -> None:
        """Assign the numbers of an award by hand to it, unless an earlier one has them."""
        policy = self.policy(act.org_path)
        rule = policy.rule(act.rule_key) if policy else None
        line = rule and self._line(act, rule)
        if rule and line and not any(mistakes_in(rule, [line])):
            for key, owner in _named(act, rule, line):
                self._numbers.setdefault(key, owner)

    def take(self, acts: Sequence[Act]) -> Iterator[tuple[Act, Outcome]]:
        """Replay all acts of a person, which come in the order in which they filled caps."""
        lengths, earned = self._lengths(acts), RunningTotals()
        for act in acts:
            yield act, self._take(act, earned, lengths.get(act.id, timedelta()))

    def _lengths(self, acts: Sequence[Act]) -> dict[UUID, timedelta]:
        """Return the time for which attendances are paid, by act.

        It is counted at the check-in, also if the award waits for reviewers.
        """
        counted, lengths = CountedTime(), {}
        for act in sorted(acts, key=lambda one: (one.awarded_at, one.id)):
            policy, attended = self.policy(act.org_path), _attended(act)
            rule = policy.rule(act.rule_key) if policy else self._rule_then(act)
            if attended and rule and rules.by_time(rule):
                lengths[act.id] = counted.count(act, rule, attended)
        return lengths

    def _take(self, act: Act, earned: RunningTotals, length: timedelta) -> Outcome:
        """Replay an act whose attendance is paid for a ``length``.

        The points given by an act whose policy does not depend on the draft count for caps
        unchanged. Where the draft asks for reviewers, an act counts from its approval on; one that
        nobody has approved does not.
        """
        earned.turn_to(act.counted_at or act.awarded_at)
        policy = self.policy(act.org_path)
        if policy is None:
            if act.unit_id == self._unit_id and act.counted_at is not None:
                earned.add(act, act.points)
            return None
        claim = self._claim(act, policy, length)
        if isinstance(claim, Ineligibility):
            return claim
        rule, release = claim.rule, policy.release(claim.rule, claim.proof)
        if act.is_own_act:
            release = confirmed(release)
        if act.counted_at is None and release.reviewers_for(claim.points):
            points, reason = caps.apply_caps(policy, rule, claim.points, {}, had=False)
        else:
            had = rule.per in caps.ONCE and (
                act.had_before or earned.had(rule.key, caps.once(rule, act.org_id, act.awarded_at))
            )
            tallies = earned.tallies(act.awarded_at)
            points, reason = caps.apply_caps(policy, rule, claim.points, tallies, had=had)
            points = max(points - act.points_reversed, 0)
            earned.add(act, points)
        if claim.points == 0 and act.reason == AwardReason.counted_before:
            reason = AwardReason.counted_before  # no rule changes that
        state = first_state(release, claim.points)
        return Replayed(claim.points, points, claim.minutes, reason, claim.proof, state)

    def _claim(self, act: Act, policy: PointsPolicy, length: timedelta) -> Claim | Ineligibility:
        rule = policy.rule(act.rule_key)
        if rule is None:
            return Ineligibility.no_rule
        if _attended(act) is None:
            return self._by_hand(act, rule) if act.method is None else _by_visits(act, rule)
        if not rules.by_attendance(rule):
            return Ineligibility.no_rule
        halves = rules.half_hours(length)
        return Claim(
            rule=rule,
            points=rules.points_for_attendance(rule, halves),
            minutes=rules.attendance_minutes(rule, halves),
            proof=PROOFS[act.method or ""],
        )

    def _by_hand(self, act: Act, rule: Rule) -> Claim | Ineligibility:
        line = self._line(act, rule)
        if line is None:
            return Claim(rule, act.points_before_caps, act.minutes, "manual")
        if any(mistakes_in(rule, [line])):
            return Ineligibility.evidence
        if any(self._numbers.get(key, owner) != owner for key, owner in _named(act, rule, line)):
            return Ineligibility.number
        return Claim(rule, worth(rule, line), minutes(rule, line), "manual")

    def _line(self, act: Act, rule: Rule) -> ProposalItem | None:
        """Return what was proposed, read by the rule in force when it was given."""
        return _line(act, self._rule_then(act) or rule, rule)

    def _rule_then(self, act: Act) -> Rule | None:
        """Return the rule of an act as it was in force when it was given."""
        try:
            then = self._draft.history.policy(act.awarded_at, act.org_path)
        except PolicyMissing:
            return None
        return then.document.rules.get(act.rule_key)


def _by_visits(act: Act, rule: Rule) -> Claim | Ineligibility:
    if not rules.by_visits(rule):
        return Ineligibility.no_rule
    return Claim(rules.as_visited(rule), rule.points, 0, PROOFS[act.method or ""])


def _attended(act: Act) -> Span | None:
    """Return the time of an attendance; None of an award by hand."""
    if act.checked_in_at is None or act.starts_at is None or act.ends_at is None:
        return None
    return rules.attended(act.checked_in_at, act.starts_at, act.ends_at)


def _line(act: Act, then: Rule, rule: Rule) -> ProposalItem | None:
    """Reconstruct the proposal of an award by hand, for ``rule``; None if no worth fits.

    An award keeps its points before caps, but not quantity and grade. They follow from the
    largest worth of the rule of its day that divides the points and fits the hours. If a grade
    and the rule's own points have the same worth, the rule's own are assumed.
    """
    worths: list[tuple[int, str | None]] = [(p, grade) for grade, p in then.grades.items()]
    worths += [(points, None) for points in range(then.points, (then.up_to or then.points) + 1)]
    total = act.points_before_caps
    fitting = [
        (points, grade)
        for points, grade in worths
        if total % points == 0 and act.minutes in (0, 60 * (total // points))
    ]
    if not fitting:
        return None
    each, grade = max(fitting, key=lambda one: (one[0], one[1] is None))
    chosen = None
    if rule.up_to is not None and grade is None and each != then.points:
        chosen = min(max(each, rule.points), rule.up_to)
    return ProposalItem(
        person_id=act.person_id,
        quantity=total // each,
        evidence=json.loads(act.evidence),
        grade=grade,
        points=chosen,
    )


def _named(act: Act, rule: Rule, line: ProposalItem) -> Iterator[tuple[tuple[str, str, str], UUID]]:
    """Yield the numbers that an act uses, with the user: its whole proposal, or the act itself."""
    for field, number in numbers_of(rule, line):
        shared = act.proposal_id if rule.unique[field] == "batch" else None
        yield (rule.key, field, number), shared or act.id
