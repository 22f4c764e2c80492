"""What counts on a board: in which unit, from which age on; and under which name Redis keeps it."""

from datetime import date, datetime
from typing import get_args

from app.core.clock import local_date, now
from app.schemas.leaderboards import BoardPeriod, Measure
from app.services import people
from app.services.ledger.types import MINUTES
from app.services.policies.history import PolicyHistory, PolicyMissing

WHOLE_TREE = "/"  # the path above all organisations
PERIODS: tuple[BoardPeriod, ...] = get_args(BoardPeriod)


def board_name(
    org_path: str, period: BoardPeriod, starts_at: datetime, measure: Measure = "points"
) -> str:
    """Name the board of people of an organisation and a period: ``/31/:month:2026-11-01``.

    That of hours is ``/31/:minutes:month:2026-11-01``. ``WHOLE_TREE`` has both too.
    """
    of = "" if measure == "points" else f":{measure}"
    return f"{org_path}{of}:{period}:{local_date(starts_at).isoformat()}"


def org_board_name(
    org_path: str, level: str, period: BoardPeriod, starts_at: datetime, measure: Measure
) -> str:
    """Name the board of the organisations of a level below another: ``/31/:community:points:…``."""
    return f"{org_path}:{level}:{measure}:{period}:{local_date(starts_at).isoformat()}"


def born_until() -> date:
    """Return the latest birth date of somebody who may appear today (14 years old)."""
    today = local_date(now())
    # 14 years before a 29 February there is none. Somebody born on 29 February turns 14 on
    # 1 March, as the law counts.
    year = today.year - people.LEADERBOARD_MIN_AGE
    leap_day = (today.month, today.day) == (2, 29)
    return date(year, 2, 28) if leap_day else today.replace(year=year)


class CountedUnits:
    """The unit that the boards of an organisation count: that of the programme which it is in."""

    def __init__(self, history: PolicyHistory) -> None:
        self._history = history
        self._at = now()
        self._known: dict[str, int | None] = {}

    def of(self, org_path: str) -> int | None:
        """Return the id of the unit; None where no policy is in force, and nothing counts."""
        if org_path not in self._known:
            try:
                self._known[org_path] = self._history.policy(self._at, org_path).unit_id
            except PolicyMissing:
                self._known[org_path] = None
        return self._known[org_path]

    def measure(self, org_path: str, measure: Measure) -> int | None:
        """Return the id of the unit in which an organisation counts points or minutes."""
        return MINUTES if measure == "minutes" else self.of(org_path)
