"""Clocks of tests: the process's is set, and PostgreSQL's shows the same or another time.

Tests pass at any moment, also while midnight in Shanghai or the end of a month goes by:

- What seals, closes or counts days runs at noon, by ``pytest.mark.usefixtures("at_noon")`` (see
  tests/conftest.py). Just after midnight yesterday is not sealed yet, some minutes later it is.
  Such a test takes its days from ``TODAY`` and ``noon``, which never change while tests run.
- ``local_date(now())`` is read inside a test, once, at its beginning; never when a module is
  imported, which may be minutes before the test runs. A test whose outcome depends on the hour,
  or that would fail if the day changed in its middle, runs at noon too.
- PostgreSQL's ``now()`` cannot be set: ``created_at``, ``audit_entries.at`` and the rights of
  roles follow it, though ``travel`` lets the service believe that both clocks agree. Rows that
  have to be of a day are written with a time of that day, not with ``now() - interval '1 day'``.

``TODAY`` may be yesterday by PostgreSQL's clock, if midnight has passed since the tests began, and
noon may be to come: what a test demands of rows that PostgreSQL dates must hold either way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

import time_machine

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.queries.ledger import closing as queries

A_DAY = timedelta(days=1)
TODAY = local_date(now())  # in Shanghai, when this process began to run tests


def noon(days_ago: int = 0) -> datetime:
    """Return noon in Shanghai of ``TODAY`` or of a day before."""
    return midnight(TODAY - days_ago * A_DAY) + A_DAY / 2


@contextmanager
def same_host(ahead: timedelta = timedelta(0)) -> Iterator[None]:
    """Let PostgreSQL's clock be the process's, which is ahead of it by so much."""
    real = queries.read_clock

    async def read(session: Session) -> tuple[datetime, datetime | None]:
        return now() - ahead, (await real(session))[1]

    with patch.object(queries, "read_clock", read):
        yield


@contextmanager
def travel(to: datetime, *, tick: bool = False) -> Iterator[time_machine.Traveller]:
    """Set the clock of the process and of PostgreSQL, and stop it unless it is to tick."""
    with same_host(), time_machine.travel(to, tick=tick) as traveller:
        yield traveller
