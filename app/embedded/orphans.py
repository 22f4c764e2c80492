"""Clears what a killed keeper may leave: a running engine or a stale pid file."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from app.embedded.account import Account
from app.embedded.layout import POSTGRES_PORT, Places

STOP_SECONDS = 20.0


def stop_valkey(places: Places) -> None:
    """Stop a leftover Valkey: at its end it would delete the socket of the new one."""
    if process := _named_by(places.valkey / "valkey.pid", "valkey-server", places.valkey_socket):
        _stop(process, signal.SIGTERM)


def clear_postgres(places: Places, account: Account) -> None:
    """Stop a leftover PostgreSQL, or repair its pid file if another process has the pid now.

    PostgreSQL refuses to start if any process has the pid. The file is not removed: it also
    names the shared memory by which PostgreSQL detects backends that outlived their server.
    With the keeper's own pid, the parent of the new server, PostgreSQL treats the file as stale
    and still makes that check.
    """
    file = places.postgres / "postmaster.pid"
    if process := _named_by(file, "postgres", places.postgres):
        _stop(process, signal.SIGINT)
    # It has no information beyond postmaster.pid, and only the keeper starts servers here.
    (places.run / f".s.PGSQL.{POSTGRES_PORT}.lock").unlink(missing_ok=True)
    if (pid := _pid(file)) is None:
        # Empty after a power failure: PostgreSQL would refuse to start.
        file.unlink(missing_ok=True)
    elif psutil.pid_exists(pid) and pid != os.getpid():
        _, _, rest = file.read_text().partition("\n")
        new = file.with_suffix(".new")
        new.write_text(f"{os.getpid()}\n{rest}")
        account.own(new)
        new.replace(file)


def _pid(file: Path) -> int | None:
    try:
        pid = int(file.read_text().partition("\n")[0])
    except (OSError, ValueError):
        return None
    return pid if pid > 0 else None


def _named_by(file: Path, program: str, argument: Path) -> psutil.Process | None:
    """Return the process named by a pid file, if it is that program with that argument."""
    pid = _pid(file)
    try:
        process = psutil.Process(pid) if pid else None
        words = process.cmdline() if process else []
    except psutil.Error:
        return None
    ours = bool(words) and Path(words[0]).name == program and str(argument) in words
    return process if ours else None


def _stop(process: psutil.Process, gently: signal.Signals) -> None:
    for number in (gently, signal.SIGQUIT, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        while not _ended(process):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return


def _ended(process: psutil.Process) -> bool:
    """Whether it has ended. A zombie counts: a container's first process may never reap it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
