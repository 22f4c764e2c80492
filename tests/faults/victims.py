"""The engines' processes, to be killed or frozen: all of a server at once, by their pids."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from app.core.embedded.places import Places


def postgres_of(data_dir: Path) -> list[psutil.Process]:
    """The postmaster and all its backends; nothing while there is no server."""
    return _with_children(Places.of(data_dir).postgres / "postmaster.pid")


def valkey_of(data_dir: Path) -> list[psutil.Process]:
    return _with_children(Places.of(data_dir).valkey / "valkey.pid")


def kill(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL to each, the parent first: no chance to tidy anything."""
    assert processes, "there is nothing to kill"
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def frozen(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """SIGSTOP for the length of the block: alive, connected and silent."""
    assert processes, "there is nothing to freeze"
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in reversed(processes):
            with suppress(psutil.NoSuchProcess):
                process.resume()


def _with_children(pid_file: Path) -> list[psutil.Process]:
    try:
        parent = psutil.Process(int(pid_file.read_text().partition("\n")[0]))
        return [parent, *parent.children(recursive=True)]
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return []
