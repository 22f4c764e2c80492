"""Whom a fault strikes: engines, all processes of a server at once, and workers. By pid only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from app.embedded.layout import Places
from bench.service import Service


def postgres_of(data_dir: Path) -> list[psutil.Process]:
    """The postmaster and all its backends; nothing while there is no server."""
    return _with_children(Places.of(data_dir).postgres / "postmaster.pid")


def valkey_of(data_dir: Path) -> list[psutil.Process]:
    return _with_children(Places.of(data_dir).valkey / "valkey.pid")


def serving(service: Service) -> list[psutil.Process]:
    """The workers that somebody is connected to, the oldest first."""
    found = []
    for worker in service.workers():
        with suppress(psutil.Error):
            connections = worker.net_connections("tcp")
            if any(each.status == psutil.CONN_ESTABLISHED for each in connections):
                found.append((worker.create_time(), worker.pid, worker))
    return [worker for _, _, worker in sorted(found, key=lambda each: each[:2])]


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
