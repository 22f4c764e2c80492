"""Errors of PostgreSQL and its driver, translated to ``Busy``, ``Invalid`` or ``Retry``."""

import asyncpg
from sqlalchemy import exc
from sqlalchemy.connectors.asyncio import AsyncAdapt_Error

from app.core.errors import Busy, Invalid, LockTimeout

# ``Session.fetch`` bypasses SQLAlchemy, so errors of the driver and of its adapter are raised
# unwrapped.
ENGINE_ERRORS = (exc.SQLAlchemyError, asyncpg.PostgresError, AsyncAdapt_Error)
# Of the driver itself. InternalClientError: a server was killed in the middle of an operation, and
# the connection seems open.
DRIVER_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError)
LOST = (TimeoutError, *DRIVER_ERRORS, AsyncAdapt_Error)
_DEADLOCK_OR_SERIALIZATION = {"40P01", "40001"}
_CLOSED_DAY = "QX001"  # raised by the trigger of ledger_transfers
_LOCKED = "55P03"  # lock_not_available
_TIMED_OUT = "57014"  # query_canceled
# NUL in a text or in JSON. Bodies refuse it by field; an address may hold it (``%00``).
_NO_TEXT = {"22021", "22P05"}  # character_not_in_repertoire, untranslatable_character
_GONE = {"57P01", "57P02", "57P03", "53300"}  # shutting down, starting up, too many connections
_UNABLE = {"53100", "53200", "58030", "25006"}  # disk or memory full, I/O error, a standby


class Retry(Exception):
    """The transaction was rolled back and may run again.

    A deadlock, a serialization failure, or a transfer into a day that was closed meanwhile.
    """


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's error code (SQLSTATE) of an error or of what it wraps."""
    seen: BaseException | None = error
    while seen is not None:
        code = getattr(seen, "sqlstate", None)
        if isinstance(code, str):
            return code
        seen = getattr(seen, "orig", None) or seen.__cause__
    return None


def is_down(error: Exception) -> bool:
    """Tell whether the server is gone or frozen, rather than refused a statement."""
    code = sqlstate(error)
    if code is not None:
        return code in _GONE or code.startswith("08")
    # An InternalError without a code: only standbys answered, of all hosts in the URL.
    silent = (OSError, TimeoutError, exc.TimeoutError, exc.InterfaceError, exc.InternalError)
    lost = isinstance(error, (*silent, AsyncAdapt_Error))
    return lost or bool(getattr(error, "connection_invalidated", False))


def is_too_late(error: Exception) -> bool:
    """Tell whether a transfer was refused because its day is closed."""
    return sqlstate(error) == _CLOSED_DAY


def translated(error: Exception) -> Exception:
    """Return ``Retry``, ``LockTimeout``, ``Busy``, ``Invalid``, or the error itself."""
    code = sqlstate(error)
    if code in _DEADLOCK_OR_SERIALIZATION or code == _CLOSED_DAY:
        return Retry(code)
    if code == _LOCKED:
        return LockTimeout(retry_after=1)
    if code in _NO_TEXT:
        return Invalid()
    if code == _TIMED_OUT or code in _UNABLE or is_down(error):
        return Busy(retry_after=1)
    return error
