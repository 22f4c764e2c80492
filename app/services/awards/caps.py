"""Caps: what they leave of an award, by what its person had before. Pure arithmetic.

``grant`` asks it of what is earned, ``simulation`` of what would have been: one answer.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from app.core.clock import period_start
from app.models.awards import AwardReason
from app.queries.awards.granting import Tally
from app.schemas.policies import Rule
from app.services.policies.rules import PointsPolicy

Once = tuple[UUID | None, datetime | None]
# The rules that give once, by what they are counted per.
ONCE: dict[str, Callable[[UUID, datetime], Once]] = {
    "once": lambda _org, _at: (None, None),
    "community_year": lambda org, at: (org, period_start(at, "year")),
}


def once(rule: Rule, org_id: UUID, at: datetime) -> Once:
    """Say where and since when nobody may have had it before: None is anywhere, ever."""
    return ONCE[rule.per](org_id, at)


def apply_caps(
    policy: PointsPolicy, rule: Rule, points: int, earned: Mapping[str, Tally], *, had: bool
) -> tuple[int, AwardReason]:
    """Return the points that every cap leaves, and the cap that bound tightest.

    ``earned`` is what the person earned by each rule so far; ``had``: the rule gives once,
    and gave. An emergency makes room for itself, not for other awards of its day: it may
    still be rejected, and they would stand.
    """
    if had:
        return 0, AwardReason.once
    caps = policy.document.caps
    by_rule = earned.get(rule.key, Tally())
    overall = sum(earned.values(), Tally())
    emergency = sum(tally.day for key, tally in earned.items() if policy.is_emergency(key))
    room = [
        (rule.cap.day, by_rule.day, AwardReason.cap_day),
        (rule.cap.month, by_rule.month, AwardReason.cap_month),
        (rule.cap.year, by_rule.year, AwardReason.cap_year),
        (caps.emergency_day, overall.day, AwardReason.overall_day),
        (caps.month, overall.month, AwardReason.overall_month),
        (caps.year, overall.year, AwardReason.overall_year),
    ]
    if not rule.emergency:
        room.append((caps.day, overall.day - emergency, AwardReason.overall_day))
    left, reason = points, AwardReason.full
    for cap, so_far, why in room:
        if cap is not None and max(cap - so_far, 0) < left:
            left, reason = max(cap - so_far, 0), why
    return left, reason
