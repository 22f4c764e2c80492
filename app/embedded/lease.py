"""The side of those who use the engines: attach to a keeper, or start one."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.embedded.layout import (
    Engines,
    EnginesFailed,
    Places,
    lives,
    locked,
    postgres_program,
    valkey_program,
)

PROJECT = Path(__file__).resolve().parents[3]
WATCH_SECONDS = 1.0
READY_SECONDS = 60.0  # a first start takes 1 to 2; crash recovery of 2 GB of WAL more
# Another process may be starting, and a keeper may just be stopping a busy server.
LOCK_SECONDS = READY_SECONDS + 60.0


@contextmanager
def engines(data_dir: Path) -> Iterator[Engines]:
    """Run with a private PostgreSQL and Valkey, shared by all who name this directory.

    They start if nobody has them running and stop after the last user's end, by
    whatever end: the lease is a lock that dies with the process. The block may be
    left before they have stopped; who comes meanwhile waits and starts them anew.
    Raises EnginesFailed with the tail of the logs.
    """
    places = Places.of(data_dir)
    for program in (postgres_program("postgres"), valkey_program()):
        if not program.exists():
            raise EnginesFailed(f"{program} is missing: reinstall the extra `embedded`")
    places.root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with locked(places.start_lock, fcntl.LOCK_EX, LOCK_SECONDS):
            held.enter_context(locked(places.lease, fcntl.LOCK_SH, LOCK_SECONDS))
            found = _attach(places)
        held.enter_context(_revived(places))
        yield found


def wait_until_stopped(data_dir: Path) -> None:
    """Wait for engines that nobody uses any more to have stopped: for who removes their files."""
    with locked(Places.of(data_dir).keeper_lock, fcntl.LOCK_EX, LOCK_SECONDS):
        pass


@contextmanager
def _revived(places: Places) -> Iterator[None]:
    """Start another keeper if ours is killed: the engines are needed, at the same places."""
    left = threading.Event()

    def watch() -> None:
        while not left.wait(WATCH_SECONDS):
            if not lives(places.keeper_lock):
                with locked(places.start_lock, fcntl.LOCK_EX, LOCK_SECONDS):
                    if not left.is_set():
                        _attach(places)

    watcher = threading.Thread(target=watch, name="watch-keeper", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        left.set()
        watcher.join()


def _attach(places: Places) -> Engines:
    """Wait for the keeper's announcement; start a keeper if there is none.

    A keeper that was told to stop may still hold its lock: it has withdrawn its
    announcement by then, and is replaced once it is gone. One that we started
    ourselves and that is gone has failed.
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
            # Left by a keeper that was killed: the new one must not seem ready by it.
            places.withdraw()
            _start_keeper(places)
            started = True
        time.sleep(0.02)
    raise EnginesFailed(f"no embedded engines after {READY_SECONDS:.0f} s\n{places.tails()}")


def _start_keeper(places: Places) -> None:
    """Start a keeper and return once it holds its lock.

    A session of its own keeps the terminal's Ctrl-C from it. The command returns at
    once, since the keeper forks away: it may outlive us and must not become our zombie.
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
