"""The moment of a posting: by the process's clock, as long as it agrees with PostgreSQL's.

Everything that moves points takes its time here, so that no host with a wrong clock dates a
transfer, and none is dated back into a day that is closed (docs/decisions/0022).
"""

import time
from datetime import datetime, timedelta

import structlog

from app.core import clock
from app.core.db import Session
from app.core.errors import ClockWrong
from app.core.metrics import clock_offset_seconds
from app.core.server_clock import Reading
from app.queries.ledger import closing as queries

log = structlog.get_logger(__name__)
# Two hosts that are both within this agree within twice as much: less than seals.GRACE.
TOLERANCE = timedelta(minutes=2)
JUMP = timedelta(days=1)
RETRY_S = 10


async def moment(tx: Session) -> datetime:
    """Return the time at which a transaction posts, never before the last closed day's end.

    Costs a query only if the last reading of PostgreSQL's clock is some seconds old or the
    process's clock was set since. Raises ClockWrong if the clocks differ by more than
    ``TOLERANCE``; in a worker also if the clock jumped since its jobs were last checked.
    """
    at = await agreed(tx)
    if has_jumped(at, tx.clock.confirmed):
        raise ClockWrong(retry_after=RETRY_S)
    return at


async def agreed(tx: Session) -> datetime:
    """Return the same, without regard to jumps of the clock that PostgreSQL's made too."""
    at, earliest = await _checked(tx)
    return max(at, earliest)


async def checked_now(tx: Session) -> datetime:
    """Return the process's clock, with which what is open at a time is compared.

    After a day was closed too early it is behind ``moment``, which dates postings only. Raises
    ClockWrong.
    """
    return (await _checked(tx))[0]


async def recorded(tx: Session) -> datetime:
    """Return PostgreSQL's time, never before the last closed day's end; it is never refused.

    For rows under the seals that post nothing: a wrong clock of the process does not hold them up.
    """
    at = clock.now()
    reading = tx.clock.current() or await _read(tx)
    return max(at - reading.offset, reading.earliest)


async def agrees(tx: Session) -> bool:
    """Tell whether postings are dated at present."""
    return not _is_wrong(tx.clock.current() or await _read(tx))


def has_jumped(at: datetime, before: datetime | None) -> bool:
    """Tell whether two runs of a job, or a run and its parts, are too far apart to be trusted."""
    return before is not None and abs(at - before) > JUMP


async def _checked(tx: Session) -> tuple[datetime, datetime]:
    """Return the process's clock and the end of the last closed day. Raises ClockWrong."""
    at = clock.now()
    reading = tx.clock.current() or await _read(tx)
    if _is_wrong(reading):
        raise ClockWrong(retry_after=RETRY_S)
    return at, reading.earliest


async def _read(tx: Session) -> Reading:
    before = time.monotonic()
    server, earliest = await queries.read_clock(tx)
    own, after = clock.now(), time.monotonic()
    half = (after - before) / 2  # PostgreSQL looked at its clock about then
    own -= timedelta(seconds=half)
    reading = Reading(server, own, after - half, earliest or clock.BEGINNING)
    tx.clock.keep(reading)
    offset = reading.offset.total_seconds()
    clock_offset_seconds.set(abs(offset))
    if _is_wrong(reading):
        log.error("clock_wrong", ahead_of_postgresql_s=round(offset, 1))
    return reading


def _is_wrong(reading: Reading) -> bool:
    return abs(reading.offset) > TOLERANCE
