"""Replaying: what past acts would have given under a draft, one person at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, cast
from uuid import UUID

from app.models.awards import AwardReason, AwardState
from app.queries.awards.attendance import Act
from app.schemas.policies import Proof, Rule
from app.services.awards import caps
from app.services.awards.earned import RunningTotals
from app.services.awards.granting import first_state
from app.services.awards.proposals import ProposalItem, minutes, mistakes_in, numbers_of, worth
from app.services.policies import rules
from app.services.policies.history import Draft, PolicyMissing
from app.services.policies.rules import PointsPolicy


class Ineligibility(StrEnum):
    """Why an act would give no award at all."""

    no_rule = "no_rule"  # the draft has none, switches it off, or asks for more than presence
    evidence = "evidence"  # the draft asks for what was not brought, or knows no such grade
    number = "number"  # the draft lets a number count once, and it has counted


@dataclass(frozen=True, slots=True)
class Replayed:
    """What an act would have given, and the state in which its award would begin."""

    points_before_caps: int
    points: int
    minutes: int
    reason: AwardReason
    proof: Proof
    state: AwardState


class Claim(NamedTuple):
    """What an act is worth under a rule, before caps."""

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
        """Return what would be in force at an organisation, None where the draft has no part."""
        if org_path not in self._policies:
            self._policies[org_path] = self._draft.policy_at(org_path)
        return self._policies[org_path]

    def is_limited(self, org_path: str) -> bool:
        """Tell whether an organisation's fund would issue only what came in."""
        policy = self.policy(org_path)
        return policy is not None and policy.document.fund.limited

    @property
    def rules_with_numbers(self) -> list[str]:
        """The rules of the draft under which a number counts once."""
        return [key for key, rule in self._draft.policy.document.rules.items() if rule.unique]

    @property
    def rules_once_in_a_life(self) -> list[str]:
        listed = self._draft.policy.document.rules.items()
        return [key for key, rule in listed if rule.per == "once"]

    def note_numbers(self, act: Act) -> None:
        """Note the numbers that an act by hand names. Who names one first has it: see ``take``."""
        policy = self.policy(act.org_path)
        rule = policy.rule(act.rule_key) if policy else None
        line = rule and self._line(act, rule)
        if rule and line and not any(mistakes_in(rule, [line])):
            for key, owner in _named(act, rule, line):
                self._numbers.setdefault(key, owner)

    def take(self, act: Act, earned: RunningTotals) -> Replayed | Ineligibility | None:
        """Replay the next act of a person; None where the draft has no part.

        What was given there counts for caps as it was.
        """
        earned.turn_to(act.awarded_at)
        policy = self.policy(act.org_path)
        if policy is None:
            if act.unit_id == self._unit_id:
                earned.add(act, act.points)
            return None
        claim = self._claim(act, policy)
        if isinstance(claim, Ineligibility):
            return claim
        rule = claim.rule
        had = rule.per in caps.ONCE and (
            act.had_before or earned.had(rule.key, caps.once(rule, act.org_id, act.awarded_at))
        )
        points, reason = caps.apply_caps(policy, rule, claim.points, earned.tallies, had=had)
        earned.add(act, points)
        state = first_state(policy.release(rule, claim.proof), claim.points)
        return Replayed(claim.points, points, claim.minutes, reason, claim.proof, state)

    def _claim(self, act: Act, policy: PointsPolicy) -> Claim | Ineligibility:
        rule = policy.rule(act.rule_key)
        if rule is None:
            return Ineligibility.no_rule
        if act.starts_at is None or act.ends_at is None:
            return self._by_hand(act, rule)
        if not rules.by_attendance(rule):
            return Ineligibility.no_rule
        halves = rules.half_hours(act.starts_at, act.ends_at)
        return Claim(
            rule=rule,
            points=rules.points_for_attendance(rule, halves),
            minutes=rules.attendance_minutes(rule, halves),
            proof=cast("Proof", act.method),
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
        """Read what was proposed in terms of the rule that stood when it was given."""
        try:
            then = self._draft.history.policy(act.awarded_at, act.org_path)
        except PolicyMissing:
            return _line(act, rule, rule)
        return _line(act, then.document.rules.get(act.rule_key, rule), rule)


def _line(act: Act, then: Rule, rule: Rule) -> ProposalItem | None:
    """Read from an award by hand what was proposed, for ``rule``; None if nothing fits.

    An award keeps its points before caps, not quantity and grade: the largest worth of the
    rule of its day that divides them, and fits its hours, tells both. Of a grade and the
    rule's own points, worth the same, it was the rule's own.
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
    """Return the numbers that an act uses up, and for whom: its whole proposal, or itself."""
    for field, number in numbers_of(rule, line):
        shared = act.proposal_id if rule.unique[field] == "batch" else None
        yield (rule.key, field, number), shared or act.id
