"""Starts the service: engines, schema, demonstration data, job worker, web workers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog
import uvicorn

from app.core import backoff
from app.core.db import Database
from app.core.http import Protocol
from app.core.metrics import MULTIPROCESS_DIR
from app.core.parent_watch import PARENT
from app.core.settings import Settings, get_settings
from app.demo import seed
from app.demo.means import Means
from app.embedded.layout import Engines
from app.embedded.lease import engines
from app.migrations import migrate
from app.runtime import first_check
from app.services import health

log = structlog.get_logger(__name__)
PORT_WAIT_S = 5.0
STOP_WAIT_S = 15.0
# A worker that ends is started again after 1, 2, 4 … 30 s; after 1 s if it has run for a minute.
RESTART_AFTER_S, MAX_RESTART_AFTER_S, STEADY_S = 1.0, 30.0, 60.0
LOOK_EVERY_S = 0.2
GRACE_S = 10
# Longer than a proxy keeps idle connections: the proxy must close first, or requests get lost.
KEEP_ALIVE_S = 75
# uvicorn kills a worker that does not answer for this time. Its default of 5 s is less than
# a worker needs to start on busy cores: it would be killed again and again, and a rolling
# restart given up.
WORKER_SILENT_S = 30


class PortTaken(Exception):
    """Another process listens on the port."""


@contextmanager
def attached(settings: Settings) -> Iterator[Settings]:
    """Complete the settings with the URLs of the embedded engines, if none are set.

    The engines run while any process is attached, a server or a single command.
    """
    if not settings.embedded:
        yield settings
        return
    with engines(settings.data_dir) as found:
        yield settings.model_copy(update=_urls(settings, found))


def serve(settings: Settings) -> None:
    """Serve until a signal. In development also migrate, load seed data and run the jobs.

    Raises PortTaken.
    """
    _wait_for_port(settings.host, settings.port)
    # uvicorn shuts down and then raises the signal again. Its default action would end the process
    # before the job worker has stopped, and with it the engines.
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        settings = stack.enter_context(attached(settings))
        os.environ |= _environment(settings)
        get_settings.cache_clear()  # the application reads the completed environment
        if settings.workers > 1:
            os.environ[MULTIPROCESS_DIR] = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="qingxiang-metrics-")
            )
        if settings.env == "dev":
            migrate(owner_url(settings))
        asyncio.run(_first_check(settings))
        if settings.env == "dev":
            if settings.demo_data != "off":
                asyncio.run(load_demonstration(settings, past=settings.demo_data == "on"))
            stack.enter_context(_job_worker())
        uvicorn.run(
            "app.main:create_app",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            access_log=False,
            log_config=None,
            proxy_headers=True,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            http=Protocol,
            ws="none",  # the service has no WebSocket, and Protocol does not support the upgrade
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
            timeout_worker_healthcheck=WORKER_SILENT_S,
        )


def _leave(*_: object) -> None:
    raise SystemExit(0)


def owner_url(settings: Settings) -> str:
    """Return the URL that migrations use."""
    url = settings.migration_database_url or settings.database_url
    assert url is not None
    return url


async def _first_check(settings: Settings) -> None:
    """Find out here, and not in each web worker, whether the service can start."""
    assert settings.database_url is not None
    database = Database(settings.database_url, pool_size=2)
    try:
        await first_check(database, settings.secrets)
    finally:
        await database.close()


async def load_demonstration(settings: Settings, *, past: bool = False) -> bool:
    """Load the demonstration data, once, one process at a time; return whether it did."""
    assert settings.database_url is not None
    database = Database(settings.database_url, pool_size=2, patient=True)
    try:
        async with database.transaction() as tx:
            await health.take_turn(tx)
            return await seed.load(tx, Means.of(settings), past=past)
    finally:
        await database.close()


def _urls(settings: Settings, found: Engines) -> dict[str, str]:
    urls = {}
    if settings.database_url is None:
        urls["database_url"] = found.database_url
        urls["migration_database_url"] = found.migration_database_url
    if settings.redis_url is None:
        urls["redis_url"] = found.redis_url
    return urls


def _environment(settings: Settings) -> dict[str, str]:
    """Return the completed settings as environment variables of child processes."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    assert settings.secret_key is not None
    return {
        "QX_DATABASE_URL": settings.database_url,
        "QX_MIGRATION_DATABASE_URL": owner_url(settings),
        "QX_REDIS_URL": settings.redis_url,
        "QX_SECRET_KEY": settings.secret_key.get_secret_value(),
        PARENT: str(os.getpid()),
    }


@contextmanager
def _job_worker() -> Iterator[None]:
    """Run `qingxiang worker` beside the server; restart it whenever it ends, stop it at the end."""
    stopping = threading.Event()
    # A copy: a process that is started from the environment itself fails with EFAULT if another
    # thread sets a variable meanwhile.
    environment = dict(os.environ)
    keeper = threading.Thread(target=_keep_running, args=(environment, stopping), name="job-worker")
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join()


def _keep_running(environment: dict[str, str], stopping: threading.Event) -> None:
    """Run workers one after the other until ``stopping`` is set, whatever ends them."""
    failures = 0
    while not stopping.is_set():
        began = time.monotonic()
        try:
            _run_worker(environment, stopping)
        except Exception as error:  # noqa: BLE001 - a traceback would show the environment
            log.error("worker_could_not_be_run", error=repr(error))  # noqa: TRY400
        failures = 1 if time.monotonic() - began > STEADY_S else failures + 1
        if not stopping.wait(backoff.delay(failures, RESTART_AFTER_S, MAX_RESTART_AFTER_S)):
            log.error("worker_died_and_is_started_again")


def _run_worker(environment: dict[str, str], stopping: threading.Event) -> None:
    """Run one worker until it ends or ``stopping`` is set."""
    command = [sys.executable, "-m", "app.cli", "worker"]
    # A session of its own: only the server gets Ctrl-C, and then stops the worker.
    process = subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=project_root(), env=environment, start_new_session=True
    )
    while process.poll() is None and not stopping.wait(LOOK_EVERY_S):
        pass
    process.terminate()
    try:
        process.wait(STOP_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def project_root() -> Path:
    return Path(__file__).resolve().parents[1]


def _wait_for_port(host: str, port: int) -> None:
    """Wait up to ``PORT_WAIT_S`` for a server that is stopping. Raises PortTaken."""
    deadline = time.monotonic() + PORT_WAIT_S
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                if time.monotonic() > deadline:
                    raise PortTaken(
                        f"{host}:{port} is in use; stop what listens there or set QX_PORT"
                    ) from None
            else:
                return
        time.sleep(0.2)
