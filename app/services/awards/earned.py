"""What one person has earned so far, kept in memory as ``tallies`` and ``had`` ask the database."""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from app.core.clock import local_date
from app.queries.awards.attendance import Act
from app.queries.awards.granting import Tally
from app.services.awards.caps import Once


class _Given(NamedTuple):
    """Points that were earned, and until when they counted if they were taken back."""

    rule_key: str
    org_id: UUID
    points: int
    at: datetime
    ended_at: datetime | None


class RunningTotals:
    """What one person has earned so far by each rule, in the running day, month and year."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self._day = date.min
        self._given: list[_Given] = []
        self._ending: list[_Given] = []

    def turn_to(self, at: datetime) -> None:
        """Go on to a moment: begin its day, month and year, and forget what was taken back."""
        day, before = local_date(at), self._day
        if day.year != before.year:
            self.tallies = {}
        elif day.month != before.month:
            self.tallies = {key: Tally(0, 0, one.year) for key, one in self.tallies.items()}
        elif day != before:
            self.tallies = {key: Tally(0, one.month, one.year) for key, one in self.tallies.items()}
        self._day = day
        for one in [one for one in self._ending if one.ended_at and one.ended_at <= at]:
            self._ending.remove(one)
            self._count(one, -one.points)

    def add(self, act: Act, points: int) -> None:
        if points == 0:
            return
        one = _Given(act.rule_key, act.org_id, points, act.awarded_at, act.ended_at)
        self._given.append(one)
        self._count(one, points)
        if act.ended_at is not None:
            self._ending.append(one)

    def had(self, rule_key: str, once: Once) -> bool:
        """Tell whether points by a rule came from there since then, and were not taken back."""
        org_id, since = once
        return any(
            one.rule_key == rule_key
            and (org_id is None or one.org_id == org_id)
            and (since is None or one.at >= since)
            and (one.ended_at is None or one in self._ending)
            for one in self._given
        )

    def _count(self, one: _Given, points: int) -> None:
        day = local_date(one.at)
        year = points if day.year == self._day.year else 0
        month = points if year and day.month == self._day.month else 0
        today = points if day == self._day else 0
        self.tallies[one.rule_key] = self.tallies.get(one.rule_key, Tally()) + Tally(
            today, month, year
        )
