"""What counts on a board: in which unit, from which age on; and under which name Redis keeps it."""

from datetime import date, datetime
from typing import get_args

from app.core.clock import local_date, now
from app.schemas.leaderboards import BoardPeriod
from app.services import people
from app.services.policies.history import PolicyHistory, PolicyMissing

WHOLE_TREE = "/"  # the path above all organisations
PERIODS: tuple[BoardPeriod, ...] = get_args(BoardPeriod)


def board_name(org_path: str, period: BoardPeriod, starts_at: datetime) -> str:
    """Name the board of an organisation and a period: ``/31/310101/:month:2026-11-01``.

    ``WHOLE_TREE`` has one too.
    """
    return f"{org_path}:{period}:{local_date(starts_at).isoformat()}"


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
