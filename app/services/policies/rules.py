"""What the rules say: pure arithmetic on the policy in force at an organisation."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.clock import local_date, month_start
from app.models.ledger import Purpose
from app.schemas.policies import PolicyDocument, Proof, Release, Rule, Tier

# What presence alone can measure. Items, quarters and the like need somebody's word.
BY_ATTENDANCE = {"session", "shift", "hour"}
# Evidence that presence gives by itself; the other evidence the organizer writes down.
PROVEN_BY_ATTENDANCE = {"checkin", "checkout"}


@dataclass(frozen=True, slots=True)
class PointsPolicy:
    """The policy in force somewhere: ``version`` is that of the document nearest to it.

    ``unit_id``: in which points it gives.
    """

    version: int
    unit_id: int
    document: PolicyDocument

    def rule(self, key: str) -> Rule | None:
        """Return a rule that is in force."""
        rule = self.document.rules.get(key)
        return None if rule is None or rule.off else rule

    @property
    def fund(self) -> Purpose:
        """Which account of an organisation pays: without a limit, or what came in."""
        return Purpose.budget if self.document.fund.limited else Purpose.fund

    def is_emergency(self, key: str) -> bool:
        """Tell whether points by a rule have the room of ``emergency_day``."""
        rule = self.document.rules.get(key)
        return rule is not None and rule.emergency

    def release(self, rule: Rule, proof: Proof) -> Release:
        """Say what an award by a rule waits for; a proof that nobody thought of, for a person."""
        general = self.document.release
        standing = general.get(proof) or general["manual"]
        own = rule.release.get(proof)
        if own is None:
            return standing
        return standing.model_copy(update={n: getattr(own, n) for n in own.model_fields_set})

    def lot_expiry(self, at: datetime) -> datetime:
        """Return when a lot made now expires: the end of the month, so many months on."""
        day = local_date(at)
        return month_start(day.year, day.month, plus=self.document.lots.months + 1)

    def revived_until(self, at: datetime) -> datetime:
        """Return how long points live that come back now to a lot that has ended."""
        return at + timedelta(days=self.document.lots.refund_days)

    def tier_rank(self, key: str) -> int:
        """Return the place of a tier, 0 for one that this policy does not know."""
        return next((n for n, tier in enumerate(self.document.tiers) if tier.key == key), 0)

    def tier_for(self, points: int, minutes: int) -> Tier:
        """Return the highest tier whose demands on the last twelve months are met."""
        reached = [
            tier
            for tier in self.document.tiers
            if points >= tier.points_12m and minutes >= tier.hours_12m * 60
        ]
        return reached[-1]


def by_attendance(rule: Rule) -> bool:
    """Tell whether an activity may award by this rule when somebody checks in."""
    return rule.per in BY_ATTENDANCE


def demanded(rule: Rule) -> list[str]:
    """Name the evidence that a proposal must bring."""
    wanted = (asked.partition(">=") for asked in rule.evidence)
    return [name for name, least, _ in wanted if least or name not in PROVEN_BY_ATTENDANCE]


def half_hours(starts_at: datetime, ends_at: datetime) -> int:
    """Count the whole half hours of a time, as the rules do."""
    return int((ends_at - starts_at).total_seconds()) // 1800


def points_for_attendance(rule: Rule, halves: int) -> int:
    """Return what presence is worth before caps: by half hours, or once a session or shift."""
    return rule.points * halves // 2 if rule.per == "hour" else rule.points


def attendance_minutes(rule: Rule, halves: int) -> int:
    """Return the minutes of service that an attendance counts, in whole half hours."""
    return halves * 30 if rule.hours else 0
