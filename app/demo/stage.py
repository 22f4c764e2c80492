"""The demonstration's server: a child process on a free port, on an empty database of its own.

It does not inherit settings, so that runs are reproducible and neither `.data` nor a running
`make run` is affected.
"""

import base64
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from app.embedded.layout import EnginesFailed, Places, locked

HOST = "127.0.0.1"
READY_S = 90.0  # takes 3 to 5 when the machine is idle
STOP_S = 20.0
ENGINES_STOP_S = 30.0
COMMAND_S = 120.0
TAIL_LINES = 20
PROJECT = Path(__file__).resolve().parents[2]


class StageFailed(Exception):
    """The server did not start."""


@dataclass(frozen=True)
class Stage:
    """A server that answers at ``url``; ``home`` holds its data and its log.

    ``push_token``, ``push_key``: of WeChat's message push, made anew for each run.
    ``demo_data``: the setting QX_DEMO_DATA.
    """

    home: Path
    url: str
    demo_data: str = "off"
    push_token: str = field(default_factory=lambda: secrets.token_hex(16))
    push_key: str = field(
        default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    )

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def data_dir(self) -> Path:
        return self.home / "data"

    def tail(self) -> str:
        """Return the last lines of the server's log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-TAIL_LINES:])

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of `qingxiang` beside the server, on the same data."""
        return subprocess.run(  # noqa: S603 - our own interpreter and module
            _qingxiang(*words),
            cwd=PROJECT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=COMMAND_S,
            check=False,
        )

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Run another job worker beside the server's: it begins with every job at once."""
        with _process(self, "worker", "ab"):
            yield

    def environment(self) -> dict[str, str]:
        """Return the environment without the caller's settings, with those of this server."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QX_")}
        return kept | {
            "QX_ENV": "dev",
            "QX_HOST": HOST,
            "QX_PORT": self.url.rpartition(":")[2],
            "QX_DATA_DIR": str(self.data_dir),
            "QX_DEMO_DATA": self.demo_data,
            "QX_PUBLIC_URL": self.url,
            "QX_WECHAT_PUSH_TOKEN": self.push_token,
            "QX_WECHAT_PUSH_AES_KEY": self.push_key,
            "PYTHONIOENCODING": "utf-8",
        }


@contextmanager
def stage(demo_data: str = "off") -> Iterator[Stage]:
    """Start the server; stop it and remove its data at the end. Raises StageFailed."""
    home = Path(tempfile.mkdtemp(prefix="qingxiang-demo-"))
    home.chmod(0o711)  # under root the engines run as another user, which must enter the directory
    built = Stage(home, f"http://{HOST}:{_free_port()}", demo_data)
    try:
        with _process(built, "serve", "wb") as process:
            _await_ready(built, process)
            yield built
    finally:
        _await_engines(built)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _process(built: Stage, command: str, mode: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command of `qingxiang` for the length of the block. ``mode``: of opening the log."""
    with built.log.open(mode) as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            _qingxiang(command),
            cwd=PROJECT,
            env=built.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # only this process gets Ctrl-C, and then stops the server
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(built: Stage, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_S
    with httpx.Client(base_url=built.url, trust_env=False, timeout=5) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise StageFailed(f"the server ended with {process.returncode}\n{built.tail()}")
            with suppress(httpx.TransportError):
                if client.get("/readyz").status_code == 200:
                    return
            time.sleep(0.05)
    raise StageFailed(f"the server was not ready after {READY_S:.0f} s\n{built.tail()}")


def _await_engines(built: Stage) -> None:
    """Wait until the keeper has stopped the engines: they still write to the directory."""
    places = Places.of(built.data_dir)
    if places.root.exists():
        with suppress(EnginesFailed), locked(places.keeper_lock, fcntl.LOCK_EX, ENGINES_STOP_S):
            pass


def _qingxiang(*words: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", *words]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
