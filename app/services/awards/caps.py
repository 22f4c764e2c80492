"""Caps: how many points of an award remain, given what its person had before. No I/O.

Used by ``granting`` and ``cutting`` for actual awards and by ``replay`` for simulated ones.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.clock import local_date, midnight, month_start
from app.models.awards import AwardReason
from app.queries.awards.granting import Once, Spans, Tally
from app.schemas.policies.documents import Rule
from app.services.policies.rules import PointsPolicy

# The rules that give once, with the scope in which they do.
ONCE: dict[str, Callable[[UUID, Spans], Once]] = {
    "once": lambda _org, _spans: Once(None, None, None),
    "community_year": lambda org, spans: Once(org, spans.year, spans.year_end),
}


def spans(at: datetime) -> Spans:
    """Return the periods to which an award of this time counts."""
    day = local_date(at)
    return Spans(
        day=midnight(day),
        day_end=midnight(day + timedelta(days=1)),
        month=month_start(day.year, day.month),
        month_end=month_start(day.year, day.month, plus=1),
        year=month_start(day.year, 1),
        year_end=month_start(day.year + 1, 1),
    )


def once(rule: Rule, org_id: UUID, at: datetime) -> Once:
    """Return where and when the rule, which gives once, must not have given."""
    return ONCE[rule.per](org_id, spans(at))


class Room(NamedTuple):
    """A cap, what the person earned of it so far, and the reason of an award that it cuts.

    ``is_emergency``: it is the one of days of emergency.
    """

    cap: int
    used: int
    reason: AwardReason
    is_emergency: bool = False

    @property
    def left(self) -> int:
        return max(self.cap - self.used, 0)

    @property
    def period(self) -> str:
        """The period of the cap: ``day``, ``month`` or ``year``."""
        return self.reason.value.rpartition("_")[2]


def rooms(policy: PointsPolicy, rule: Rule, earned: Mapping[str, Tally]) -> Iterator[Room]:
    """Yield the caps that an award by a rule is under. ``earned``: see ``apply_caps``."""
    yield from of_rule(rule, earned)
    for room, is_emergency in of_all_rules(policy, earned):
        if not (rule.emergency and room.reason is AwardReason.overall_day) or is_emergency:
            yield room


def of_rule(rule: Rule, earned: Mapping[str, Tally]) -> Iterator[Room]:
    """Yield the caps of one rule."""
    tally = earned.get(rule.key, Tally())
    for cap, used, reason in (
        (rule.cap.day, tally.day, AwardReason.cap_day),
        (rule.cap.month, tally.month, AwardReason.cap_month),
        (rule.cap.year, tally.year, AwardReason.cap_year),
    ):
        if cap is not None:
            yield Room(cap, used, reason)


def of_all_rules(policy: PointsPolicy, earned: Mapping[str, Tally]) -> Iterator[tuple[Room, bool]]:
    """Yield the caps of all rules together, and whether it is the one of days of emergency.

    All awards are under that one. The other cap of the day is for awards by ordinary rules.
    """
    caps = policy.document.caps
    overall = sum(earned.values(), Tally())
    emergency = sum(tally.day for key, tally in earned.items() if policy.is_emergency(key))
    for cap, used, reason, is_emergency in (
        (caps.emergency_day, overall.day, AwardReason.overall_day, True),
        (caps.month, overall.month, AwardReason.overall_month, False),
        (caps.year, overall.year, AwardReason.overall_year, False),
        (caps.day, overall.day - emergency, AwardReason.overall_day, False),
    ):
        if cap is not None:
            yield Room(cap, used, reason, is_emergency), is_emergency


def apply_caps(
    policy: PointsPolicy, rule: Rule, points: int, earned: Mapping[str, Tally], *, had: bool
) -> tuple[int, AwardReason]:
    """Return the points that remain, and the cap that leaves the fewest.

    ``earned``: what the person earned by each rule so far, without what waits for reviewers;
    empty: what the caps leave to anybody at most. ``had``: the rule gives once, and gave before.
    Emergency points have a cap of their own and do not raise the cap for other awards of the day:
    the emergency may still be reversed while the others remain.
    """
    if had:
        return 0, AwardReason.once
    left, reason = points, AwardReason.full
    for room in rooms(policy, rule, earned):
        if room.left < left:
            left, reason = room.left, room.reason
    return left, reason
