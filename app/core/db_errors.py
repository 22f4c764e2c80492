"""Errors of PostgreSQL and its driver, translated to ``Busy`` or ``Retry``."""

import asyncpg
from sqlalchemy import exc
from sqlalchemy.connectors.asyncio import AsyncAdapt_Error

from app.core.errors import Busy

# ``Session.fetch`` bypasses SQLAlchemy, so errors of the driver and of its adapter are raised
# unwrapped.
ENGINE_ERRORS = (exc.SQLAlchemyError, asyncpg.PostgresError, AsyncAdapt_Error)
LOST = (TimeoutError, asyncpg.InterfaceError, AsyncAdapt_Error)
_DEADLOCK_OR_SERIALIZATION = {"40P01", "40001"}
_TIMED_OUT = {"55P03", "57014"}  # lock_not_available, query_canceled
_GONE = {"57P01", "57P02", "57P03", "53300"}  # shutting down, starting up, too many connections
_UNABLE = {"53100", "53200", "58030", "25006"}  # disk or memory full, I/O error, a standby


class Retry(Exception):
    """A deadlock or serialization failure: the transaction was rolled back and may run again."""


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


def translated(error: Exception) -> Exception:
    """Return ``Retry``, ``Busy`` (seconds to wait in ``retry_after``), or the error itself."""
    code = sqlstate(error)
    if code in _DEADLOCK_OR_SERIALIZATION:
        return Retry(code)
    if code in _TIMED_OUT or code in _UNABLE or is_down(error):
        return Busy(retry_after=1)
    return error
