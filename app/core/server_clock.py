"""PostgreSQL's clock, as a process last read it, beside the process's own."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core import clock

# A reading is used for so long: PostgreSQL's clock may be set meanwhile.
FRESH_S = 5.0
# The process's clock was set if it moved by so much more or less than the monotonic one.
STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What both clocks showed at one instant (``steady``, of the monotonic clock).

    ``earliest``: the end of the last closed day; no transfer may be older.
    """

    server: datetime
    own: datetime
    steady: float
    earliest: datetime

    @property
    def offset(self) -> timedelta:
        """How far the process's clock is ahead of PostgreSQL's."""
        return self.own - self.server


class ServerClock:
    """The last reading of a database's clock. Every session of the database has the same."""

    def __init__(self) -> None:
        self._reading: Reading | None = None
        # For a worker: what its last check against the jobs' last runs passed.
        self.confirmed: datetime | None = None

    def keep(self, reading: Reading) -> None:
        self._reading = reading

    def forget(self) -> None:
        """Have the clock read again before it is next used."""
        self._reading = None

    def current(self) -> Reading | None:
        """Return the reading unless it is old, or the process's clock was set since."""
        reading = self._reading
        if reading is None:
            return None
        passed = time.monotonic() - reading.steady
        moved = clock.now() - reading.own
        if passed > FRESH_S or abs(moved - timedelta(seconds=passed)) > STEP:
            return None
        return reading
