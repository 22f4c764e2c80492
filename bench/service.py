"""The service as it is run: embedded engines, several workers, the job worker, everything on."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from app.core.settings import Settings
from bench.scratch import scratch_engines

PROJECT = Path(__file__).resolve().parents[1]
WORKERS = 2
PARTS = ("web", "jobs", "postgres", "valkey")
START_S = 90
STOP_S = 60


@dataclass(frozen=True)
class Service:
    """``settings`` reach the same engines with the same keys, for seeding and for looking."""

    url: str
    settings: Settings
    process: psutil.Process

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def workers(self) -> list[psutil.Process]:
        """The processes that answer HTTP."""
        found = []
        for child in self.process.children():
            with suppress(psutil.Error):  # it may have died a moment ago
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """What each part of the service has used of the cores until now."""
        used = dict.fromkeys(PARTS, 0.0)
        engines = str(self.settings.data_dir / "engines")
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                part = self._part(process, engines)
                if part:
                    times = process.cpu_times()
                    used[part] += times.user + times.system
        return used

    def _part(self, process: psutil.Process, engines: str) -> str | None:
        words = " ".join(process.cmdline())
        parent = process.parent()
        if parent is None:
            return None
        if parent.pid == self.process.pid:
            return "jobs" if words.endswith("app.cli worker") else "web"
        if engines in words or engines in " ".join(parent.cmdline()):
            return "valkey" if "valkey" in words else "postgres"
        return None


@contextmanager
def service(
    port: int, *, workers: int = WORKERS, data_dir: Path | None = None, **environment: str
) -> Iterator[Service]:
    """Serve on fresh engines, in a directory that goes with the block unless one is given."""
    with scratch_engines(data_dir) as (directory, found):
        variables = {
            "QX_DATA_DIR": str(directory),
            "QX_DEMO_DATA": "people",
            "QX_PORT": str(port),
            "QX_WORKERS": str(workers),
            "QX_LOG_FORMAT": "json",
        } | environment
        command = [sys.executable, "-m", "app.cli", "serve"]
        with running(command, variables, directory / "serve.log", f"{_url(port)}/readyz") as one:
            settings = Settings(
                data_dir=directory,
                database_url=found.database_url,
                migration_database_url=found.migration_database_url,
                redis_url=environment.get("QX_REDIS_URL", found.redis_url),
            )
            yield Service(_url(port), settings, one)


@contextmanager
def running(
    command: list[str], variables: dict[str, str], log: Path, probe: str
) -> Iterator[psutil.Process]:
    """Run a server until the end of the block; ready when its probe answers 200."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("QX_")}
    with log.open("wb") as out:
        process = psutil.Popen(
            command, cwd=PROJECT, env=kept | variables, stdout=out, stderr=out, process_group=0
        )
        try:
            _wait(process, probe, log)
            yield process
        finally:
            with suppress(psutil.NoSuchProcess):  # it ended by itself
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except psutil.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(STOP_S)


def _wait(process: psutil.Popen, probe: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(httpx.TransportError):
            if httpx.get(probe, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"the server did not start:\n{log.read_text()[-2000:]}")


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
