"""Real server processes, each on a port and a data directory of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx
import psutil

from app.embedded.layout import Places, lives
from tests.faults.waiting import until

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """Ours without any setting of the tests, with these instead (names without QX_)."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QX_", "PYTEST"))}
    kept |= {"QX_DATA_DIR": str(data_dir), "QX_DEMO_DATA": "people"}
    kept |= {"NO_COLOR": "1", "COLUMNS": "200"}
    return kept | {f"QX_{name.upper()}": value for name, value in settings.items()}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "app.cli", *map(str, words)]


def run(data_dir: Path, *words: str | Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603 - our own program
        command(*words),
        cwd=PROJECT,
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


class Server:
    """`serve` in a process group of its own, as a terminal would start it."""

    def __init__(self, data_dir: Path, port: int, log: IO[bytes], **settings: str) -> None:
        self.data_dir = data_dir
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            command("serve"),
            cwd=PROJECT,
            env=environment(data_dir, port=str(port), **settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
        )

    def ready(self) -> bool:
        assert self.process.poll() is None, "the server ended before it was ready"
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        return False

    def interrupt(self) -> int:
        """Press Ctrl-C: the terminal tells the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(40)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []


@contextmanager
def server(data_dir: Path, port: int | None = None, **settings: str) -> Iterator[Server]:
    """Serve; ready when the block begins, gone with all that it started at its end."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "server.log").open("ab") as log:
        one = Server(data_dir, port or free_port(), log, **settings)
        try:
            until(one.ready, START_SECONDS)
            yield one
        finally:
            if one.process.poll() is None:
                one.interrupt()
            until(lambda: left_behind(data_dir) == [], 30)


def left_behind(data_dir: Path) -> list[str]:
    """Processes that name the data directory, be it in their words or their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            theirs = process.environ().get("QX_DATA_DIR") == str(data_dir)
            theirs = theirs or any(str(data_dir / "engines") in word for word in words)
            if theirs and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(words)[:200])
    keeper = Places.of(data_dir).keeper_lock  # no such file where the engines are not ours
    if not found and keeper.exists() and lives(keeper):
        found.append("a keeper's lock")
    return found
