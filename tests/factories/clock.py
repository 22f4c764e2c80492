"""Clocks of tests: the process's is set, and PostgreSQL's shows the same or another time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

import time_machine

from app.core.clock import now
from app.core.db import Session
from app.queries.ledger import closing as queries


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
