"""Evaluating the rules: pure arithmetic on the policy in force at an organisation."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.clock import local_date, month_start
from app.core.spans import Span
from app.models.activities import MAX_LENGTH
from app.models.ledger import Purpose
from app.schemas.policies.documents import PolicyDocument, Proof, Release, Rule, Tier

# Units that attendance alone measures. Items, quarters etc. must be reported by a person.
BY_ATTENDANCE = {"session", "shift", "hour"}
# Evidence that attendance provides; the organizer enters all other evidence.
PROVEN_BY_ATTENDANCE = {"checkin", "checkout"}
# Evidence that the visits of a quest provide, beside attendance.
PROVEN_BY_VISITS = "all_checkpoints"
HALF_HOUR = timedelta(minutes=30)
# Points and hours of so long make the tier of a card.
TIER_WINDOW = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class PointsPolicy:
    """The policy in force somewhere. ``version`` is that of the nearest document.

    ``unit_id``: the unit of its points.
    """

    version: int
    unit_id: int
    document: PolicyDocument

    def rule(self, key: str) -> Rule | None:
        """Return a rule unless it is unknown or switched off."""
        rule = self.document.rules.get(key)
        return None if rule is None or rule.off else rule

    @property
    def fund(self) -> Purpose:
        """The purpose of the paying account: ``fund`` without a limit, ``budget`` with one."""
        return Purpose.budget if self.document.fund.limited else Purpose.fund

    def is_emergency(self, key: str) -> bool:
        """Whether points by a rule count against ``emergency_day`` instead of ``day``."""
        rule = self.document.rules.get(key)
        return rule is not None and rule.emergency

    def release(self, rule: Rule, proof: Proof) -> Release:
        """Return the conditions for releasing an award; an unlisted proof is treated as manual.

        A rule that asks for more than attendance keeps its reviewers when attendance pays by it.
        """
        stated = self.stated_release(rule, proof)
        if proof == "manual" or not asks_more_than_attendance(rule):
            return stated
        return _with_reviewers_of(self.stated_release(rule, "manual"), stated)

    def stated_release(self, rule: Rule, proof: Proof) -> Release:
        """Return what the document says of a proof: the rule itself, else the general table."""
        general = self.document.release
        standing = general.get(proof) or general["manual"]
        own = rule.release.get(proof)
        if own is None:
            return standing
        return standing.model_copy(update={n: getattr(own, n) for n in own.model_fields_set})

    def lot_expiry(self, at: datetime) -> datetime:
        """Return when a lot created now expires: at the end of the month, ``lots.months`` later."""
        day = local_date(at)
        return month_start(day.year, day.month, plus=self.document.lots.months + 1)

    def revived_until(self, at: datetime) -> datetime:
        """Return the expiry of points that are refunded now to an expired lot."""
        return at + timedelta(days=self.document.lots.refund_days)

    def tier_rank(self, key: str) -> int:
        """Return the index of a tier, 0 if this policy does not have it."""
        return next((n for n, tier in enumerate(self.document.tiers) if tier.key == key), 0)

    def tier_for(self, points: int, minutes: int) -> Tier:
        """Return the highest tier whose requirements the last twelve months meet."""
        reached = [
            tier
            for tier in self.document.tiers
            if points >= tier.points_12m and minutes >= tier.hours_12m * 60
        ]
        return reached[-1]


def by_attendance(rule: Rule) -> bool:
    """Whether a check-in can award points by this rule."""
    return rule.per in BY_ATTENDANCE


def by_visits(rule: Rule) -> bool:
    """Whether completing a quest can award points by this rule: so many, whatever the time."""
    if by_time(rule) or rule.grades or rule.up_to is not None:
        return False
    return by_attendance(rule) or PROVEN_BY_VISITS in rule.evidence


def as_visited(rule: Rule) -> Rule:
    """Return the rule without the evidence that the visits of a completed quest are."""
    evidence = [name for name in rule.evidence if name != PROVEN_BY_VISITS]
    return rule.model_copy(update={"evidence": evidence})


def asks_more_than_attendance(rule: Rule) -> bool:
    """Whether the rule asks for evidence beside attendance, or for reviewers of its own."""
    own = rule.release.get("manual", Release())
    return bool(demanded(rule) or own.reviewers or own.second_reviewer_from)


def _with_reviewers_of(by_hand: Release, stated: Release) -> Release:
    """Return ``stated`` with as many reviewers as by hand, if it has fewer."""
    amounts = (by_hand.second_reviewer_from, stated.second_reviewer_from)
    reviewers = {
        "reviewers": max(by_hand.reviewers, stated.reviewers),
        "second_reviewer_from": min((one for one in amounts if one is not None), default=None),
    }
    return stated.model_copy(update=reviewers)


def demanded(rule: Rule) -> list[str]:
    """Return the names of evidence that a proposal must contain."""
    wanted = (asked.partition(">=") for asked in rule.evidence)
    return [name for name, least, _ in wanted if least or name not in PROVEN_BY_ATTENDANCE]


def by_time(rule: Rule) -> bool:
    """Whether what a check-in is worth depends on the length of the attendance."""
    return rule.per == "hour" or rule.hours


def attended(checked_in_at: datetime, starts_at: datetime, ends_at: datetime) -> Span:
    """Return the time that counts without a check-out: from the check-in to the planned end.

    Never from before the start; at most ``MAX_LENGTH``, which activities from before the limit
    may exceed.
    """
    begin = max(checked_in_at, starts_at)
    return Span(begin, max(begin, min(ends_at, begin + MAX_LENGTH)))


def half_hours(length: timedelta) -> int:
    """Return the number of whole half hours."""
    return length // HALF_HOUR


def points_for_attendance(rule: Rule, halves: int) -> int:
    """Return the points of an attendance before caps: by half hours, or per session or shift."""
    return rule.points * halves // 2 if rule.per == "hour" else rule.points


def attendance_minutes(rule: Rule, halves: int) -> int:
    """Return the minutes of service of an attendance, in whole half hours."""
    return halves * 30 if rule.hours else 0
