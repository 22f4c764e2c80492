"""What a killed keeper may leave behind: a running engine, or a pid file that lies."""

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
    """Stop a leftover Valkey: when it ends it would delete the new one's socket."""
    if process := _named_by(places.valkey / "valkey.pid", "valkey-server", places.valkey_socket):
        _stop(process, signal.SIGTERM)


def clear_postgres(places: Places, account: Account) -> None:
    """Stop a leftover PostgreSQL, or defuse its pid file if the pid is now another's.

    PostgreSQL believes in any living process of that number. The file is not removed:
    it also names the shared memory by which PostgreSQL notices backends that outlived
    their server. With the keeper's own number, which is the new server's parent, it
    takes the file for stale and still makes that check.
    """
    file = places.postgres / "postmaster.pid"
    if process := _named_by(file, "postgres", places.postgres):
        _stop(process, signal.SIGINT)
    # It says no more than postmaster.pid, and only the keeper starts servers here.
    (places.run / f".s.PGSQL.{POSTGRES_PORT}.lock").unlink(missing_ok=True)
    if (pid := _pid(file)) is None:
        # Empty after a power cut, which PostgreSQL would refuse for ever.
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
    """The process that a pid file names, if it really is that program on that path."""
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
    """A zombie has ended too: the first process of a container may never collect it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
