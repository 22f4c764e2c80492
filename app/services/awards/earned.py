"""Running totals of one person in memory, for the same questions as ``tallies`` and ``had``."""

from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.clock import local_date
from app.core.spans import Span, without
from app.queries.awards.attendance import Act
from app.queries.awards.granting import Once, Tally
from app.schemas.policies.documents import Rule
from app.services.policies.rules import HALF_HOUR

_Period = tuple[int, ...]  # year; year and month; year, month and day


class _Given(NamedTuple):
    """Points that were earned; ``ended_at``: until when they counted, if they were taken back."""

    rule_key: str
    org_id: UUID
    points: int
    at: datetime
    ended_at: datetime | None


class _Counted(NamedTuple):
    """Attended time that pays, and until when it counted if its award was taken back."""

    is_extra: bool
    span: Span
    ended_at: datetime | None


class CountedTime:
    """The attended time of one person that was counted; attendances come in their own order."""

    def __init__(self) -> None:
        self._counted: list[_Counted] = []

    def count(self, act: Act, rule: Rule, attended: Span) -> timedelta:
        """Count what of an attendance was not counted before; return its length.

        ``queries.awards.attended_times`` does the same for awards.
        """
        at, is_extra = act.awarded_at, not rule.hours
        self._counted = [
            one
            for one in self._counted
            if one.span.end > at and (one.ended_at is None or one.ended_at > at)
        ]
        before = (one.span for one in self._counted if one.is_extra == is_extra)
        parts = without(attended, before)
        length = sum((part.length for part in parts), timedelta())
        if length >= HALF_HOUR:
            self._counted += [_Counted(is_extra, part, act.ended_at) for part in parts]
        return length


class RunningTotals:
    """The points of one person by rule, in any day, month and year.

    Awards count in the order in which they are added, to the day on which they were given.
    """

    def __init__(self) -> None:
        self._sums = Counter[tuple[str, _Period]]()
        self._rules: set[str] = set()
        self._given: list[_Given] = []
        self._ending: list[_Given] = []

    def turn_to(self, at: datetime) -> None:
        """Advance to a moment: drop points taken back by then."""
        for one in [one for one in self._ending if one.ended_at and one.ended_at <= at]:
            self._ending.remove(one)
            self._count(one, -one.points)

    def tallies(self, at: datetime) -> dict[str, Tally]:
        """Return what was earned by each rule in the day, month and year of a moment."""
        day, month, year = _periods(at)
        sums = self._sums
        return {
            key: Tally(sums[key, day], sums[key, month], sums[key, year]) for key in self._rules
        }

    def add(self, act: Act, points: int) -> None:
        if points == 0:
            return
        one = _Given(act.rule_key, act.org_id, points, act.awarded_at, act.ended_at)
        self._given.append(one)
        self._count(one, points)
        if act.ended_at is not None:
            self._ending.append(one)

    def had(self, rule_key: str, once: Once) -> bool:
        """Return whether a rule has given points in scope of ``once`` that were not taken back."""
        return any(
            one.rule_key == rule_key
            and (once.org_id is None or one.org_id == once.org_id)
            and (once.since is None or one.at >= once.since)
            and (once.until is None or one.at < once.until)
            and (one.ended_at is None or one in self._ending)
            for one in self._given
        )

    def _count(self, one: _Given, points: int) -> None:
        self._rules.add(one.rule_key)
        for period in _periods(one.at):
            self._sums[one.rule_key, period] += points


def _periods(at: datetime) -> tuple[_Period, _Period, _Period]:
    """Name the Shanghai day, month and year of a moment."""
    day = local_date(at)
    return (day.year, day.month, day.day), (day.year, day.month), (day.year,)
