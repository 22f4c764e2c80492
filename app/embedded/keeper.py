"""The keeper process: starts both engines, restarts them, stops them after the last lease."""

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import asyncpg  # type: ignore[import-untyped,unused-ignore]

from app.core import backoff
from app.embedded import account as accounts
from app.embedded import databases, orphans
from app.embedded.layout import (
    POSTGRES_PORT,
    EnginesFailed,
    Places,
    locked,
    postgres_program,
    valkey_program,
)

# Less than READY_SECONDS of a lease, so that the lease reports the reason from the log.
START_SECONDS = 50.0
STOP_SECONDS = 20.0
INITDB_SECONDS = 40.0
TICK_SECONDS = 0.05
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.1, 2.0
# Backends of a killed server hold its shared memory for a moment. Retries last about 7 s.
MAX_FIRST_ATTEMPTS = 7
STEADY_SECONDS = 5.0

# Durable, small and local: no TCP; socket and socket directory are 0700, so only the owner
# can connect and "trust" authentication is safe.
POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1s",
    "jit": "off",  # compiling takes longer than any of the service's short statements
}
# No snapshot and no append-only file: all data can be rebuilt or expire. Under memory pressure
# keys with an expiry are evicted (caches, counters); leaderboards have none and stay.
VALKEY_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory": "1gb",  # the benches have 400,000 people on all boards
    "maxmemory-policy": "volatile-lru",
    "loglevel": "warning",
    "set-proc-title": "no",  # a leftover server is recognised by its command line
}

logger = logging.getLogger("keeper")


@dataclass
class Child:
    """An engine as a child process of the keeper, restarted when it dies."""

    name: str
    command: list[str]
    stop_signals: tuple[signal.Signals, ...]
    log: Path
    before: Callable[[], None]
    process: subprocess.Popen[bytes] | None = None
    attempts: int = 0
    started_at: float = 0.0

    def revive(self) -> None:
        """Start it if it does not run, with a growing delay after failures.

        Main thread only: the kernel sends the death signal when the *thread* that started the
        child ends.
        """
        lived = time.monotonic() - self.started_at
        if self.process is not None and self.process.poll() is None:
            self.attempts = 0 if lived > STEADY_SECONDS else self.attempts
            return
        pause = backoff.delay(self.attempts, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
        if self.attempts and lived < pause:
            return
        if self.process is not None:
            code, self.process = self.process.returncode, None
            logger.warning("%s ended with %s after %.1f s", self.name, code, lived)
        self.attempts, self.started_at = self.attempts + 1, time.monotonic()
        self.before()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - programs of our own wheels
                self.command,
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """Send the stop signals, then SIGKILL, with a timeout for each. No-op if it has ended."""
        if self.process is None:
            return
        for number in (*self.stop_signals, signal.SIGKILL):
            self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
                return


class Keeper:
    """Runs the engines from initdb to the stop."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.account = accounts.choose(places)
        self.stopping = False
        self.children = [self._postgres(), self._valkey()]

    def run(self) -> None:
        """Run the engines until the last lease ends or SIGTERM arrives."""
        # Handlers, not SIG_IGN, which the engines would inherit.
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, lambda *_: None)
        for child in self.children:
            if child.log.exists():
                child.log.replace(child.log.with_suffix(".log.1"))
        try:
            self._prepare()
            self._start()
            threading.Thread(target=self._await_last_lease, daemon=True).start()
            while not self.stopping:
                self._revive()
                time.sleep(TICK_SECONDS)
        finally:
            self.places.withdraw()
            for child in self.children:
                child.stop()
            with suppress(OSError):  # it may lie in /tmp, where nothing else removes it
                self.places.run.rmdir()
        logger.warning("stopped")

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        # A plain flag: Event.set() could wait for a lock that the interrupted thread holds.
        self.stopping = True

    def _await_last_lease(self) -> None:
        """Wait for the exclusive lock of the lease and hold it until exit: new leases wait."""
        handle = os.open(self.places.lease, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self.stopping = True

    def _revive(self) -> None:
        """Start what does not run. Failures, as on a full disk, are logged and tried again."""
        for child in self.children:
            try:
                child.revive()
            except Exception:
                logger.exception("%s could not be started", child.name)

    def _prepare(self) -> None:
        self.account.private_directory(self.places.run)
        self.account.private_directory(self.places.valkey)
        for leftover in self.places.root.glob("postgres.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if not self.places.postgres.exists():
            self._initdb()

    def _initdb(self) -> None:
        """Run initdb in a temporary directory, then rename it: a crash leaves no partial data.

        initdb itself syncs all files before it ends. Raises EnginesFailed.
        """
        new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.places.root))
        self.account.own(new)
        words = "-U postgres -A trust -E UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8"
        command = self.account.command(postgres_program("initdb"), "-D", new, *words.split())
        done = subprocess.run(  # noqa: S603 - a program of our own wheel
            accounts.with_a_name(command),
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            timeout=INITDB_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise EnginesFailed(f"initdb ended with {done.returncode}{accounts.no_name()}")
        new.rename(self.places.postgres)
        handle = os.open(self.places.root, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)

    def _start(self) -> None:
        """Start both engines, create the database and publish the URLs. Raises EnginesFailed."""
        found = self.places.urls()
        deadline = time.monotonic() + START_SECONDS
        while not self.stopping:
            self._revive()
            for child in self.children:
                if child.attempts > MAX_FIRST_ATTEMPTS:
                    raise EnginesFailed(f"{child.name} does not stay up")
            if _answers(self.places.valkey_socket) and self._bootstrapped(found.admin_database_url):
                self.places.announce(found)
                return
            if time.monotonic() > deadline:
                raise EnginesFailed(f"the engines do not answer after {START_SECONDS:.0f} s")
            time.sleep(TICK_SECONDS / 2)

    def _bootstrapped(self, admin_url: str) -> bool:
        try:
            asyncio.run(databases.bootstrap(admin_url, "qingxiang"))
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
            return False
        return True

    def _postgres(self) -> Child:
        places = self.places
        settings = {**POSTGRES_SETTINGS, "unix_socket_directories": str(places.run)}
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        where = ("-D", str(places.postgres), "-p", str(POSTGRES_PORT))
        return Child(
            name="postgres",
            command=self.account.command(
                postgres_program("postgres"), *where, *words, death_signal="INT"
            ),
            # INT is a "fast" shutdown: sessions are ended and a checkpoint is written.
            stop_signals=(signal.SIGINT, signal.SIGQUIT),
            log=places.log("postgres"),
            before=lambda: orphans.clear_postgres(places, self.account),
        )

    def _valkey(self) -> Child:
        places = self.places
        settings = {
            **VALKEY_SETTINGS,
            "unixsocket": str(places.valkey_socket),
            "dir": str(places.valkey),
            "pidfile": str(places.valkey / "valkey.pid"),
        }
        words = [word for key, value in settings.items() for word in (f"--{key}", value)]
        return Child(
            name="valkey",
            command=self.account.command(valkey_program(), *words, death_signal="TERM"),
            stop_signals=(signal.SIGTERM,),
            log=places.log("valkey"),
            before=lambda: orphans.stop_valkey(places),
        )


def main(root: Path) -> None:
    """Take the keeper lock, fork, and run the keeper in the child.

    The lock belongs to the open file, so the child keeps it. The first process exits at once:
    its exit tells the caller that the lock is held, and the keeper is reparented to init.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    places = Places(root)
    with locked(places.keeper_lock, fcntl.LOCK_EX, timeout=1):
        if os.fork():
            os._exit(0)
        try:
            Keeper(places).run()
        except EnginesFailed as failure:
            logger.error("%s", failure)  # noqa: TRY400 - the sentence is the message
            sys.exit(1)


def _environment() -> dict[str, str]:
    """Return the environment without variables that change PostgreSQL's port, user or locale."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def _answers(path: Path) -> bool:
    """Whether a Valkey answers PONG on this socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
