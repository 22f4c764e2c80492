"""Starting the service: engines, schema, demonstration data, job worker, web workers."""

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

from app.core.db import Database
from app.core.http import Protocol
from app.core.keys import FieldCipher
from app.core.metrics import MULTIPROCESS_DIR
from app.core.parent_watch import PARENT
from app.core.settings import Settings, get_settings
from app.demo import seed
from app.embedded import Engines, engines
from app.migrations import migrate

log = structlog.get_logger(__name__)
PORT_WAIT_S = 5.0
STOP_WAIT_S = 15.0
RESTART_AFTER_S = 1.0
LOOK_EVERY_S = 0.2
GRACE_S = 10
# Longer than a proxy keeps its side open: who closes first must not be us.
KEEP_ALIVE_S = 75
# uvicorn kills a worker that is silent for 5 s: on busy cores one that is just starting,
# again and again, and gives up a rolling restart.
WORKER_SILENT_S = 30


class PortTaken(Exception):
    """Somebody else listens on our port."""


@contextmanager
def attached(settings: Settings) -> Iterator[Settings]:
    """Complete the settings with the URLs of the embedded engines, where none are set.

    The engines run as long as anybody is attached, be it a server or a single command.
    """
    if not settings.embedded:
        yield settings
        return
    with engines(settings.data_dir) as found:
        yield settings.model_copy(update=_urls(settings, found))


def serve(settings: Settings) -> None:
    """Serve until a signal; with embedded engines and in development bring all that is needed."""
    _wait_for_port(settings.host, settings.port)
    # uvicorn stops in order and then raises the signal once more, which by default would end us
    # there: before the job worker has stopped, and with the engines going away under it.
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        settings = stack.enter_context(attached(settings))
        os.environ |= _environment(settings)
        get_settings.cache_clear()  # the application reads the completed environment
        if settings.env == "dev":
            migrate(owner_url(settings))
            asyncio.run(load_demonstration(settings))
            stack.enter_context(_job_worker())
        if settings.workers > 1:
            os.environ[MULTIPROCESS_DIR] = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="qingxiang-metrics-")
            )
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
            ws="none",  # nothing here speaks WebSocket, nor does Protocol hand over to it
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


async def load_demonstration(settings: Settings) -> bool:
    """Load the demonstration data once."""
    assert settings.database_url is not None
    database = Database(settings.database_url, pool_size=2, patient=True)
    try:
        async with database.transaction() as tx:
            return await seed.load(tx, FieldCipher(settings.secrets))
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
    """What the child processes must know: the same settings, completed."""
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
    """Run `qingxiang worker` beside the server, again if it dies. It ends when we do."""
    stopping = threading.Event()

    def keep_running() -> None:
        while not stopping.is_set():
            _run_worker(stopping)
            if not stopping.wait(RESTART_AFTER_S):
                log.error("worker_died_and_is_started_again")

    keeper = threading.Thread(target=keep_running, name="job-worker")
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join()


def _run_worker(stopping: threading.Event) -> None:
    """Run one worker until it ends, or until we stop."""
    command = [sys.executable, "-m", "app.cli", "worker"]
    # A session of its own: Ctrl-C reaches us, and we stop it in order.
    process = subprocess.Popen(command, cwd=project_root(), start_new_session=True)  # noqa: S603
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
    """Wait a moment for a server that is just stopping; then say who is in the way."""
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
