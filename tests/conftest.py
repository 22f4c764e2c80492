"""Fixtures of every test. Each xdist worker has its own database and Redis database.

Tests do not clean up: each makes the people, organisations and activities that it needs
(see factories/), so that order and company never matter.
"""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.core.settings import Settings
from app.embedded import Engines, create_database, drop_database
from app.main import create_app
from app.runtime import Runtime
from tests import flaws
from tests.engines import settings_for, test_engines

_scratch_numbers = count(1)


def pytest_configure() -> None:
    """Take Ctrl-C as usual, even as a background job, which ignores it and bequeaths that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def engines_and_template() -> Iterator[tuple[Engines, str]]:
    with test_engines() as found:
        yield found


@pytest.fixture(scope="session")
def worker_number() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest_asyncio.fixture(scope="session")
async def settings(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Settings]:
    """Settings of a fresh copy of the template: 扬中's tree, the default policy, the cast."""
    found, template = engines_and_template
    name = f"test_{os.getpid()}"
    await create_database(found.admin_database_url, name, template=template)
    yield settings_for(found, name, redis_db=worker_number + 1)
    await drop_database(found.admin_database_url, name)


@pytest_asyncio.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    application = create_app(settings)
    async with application.router.lifespan_context(application):
        await application.state.runtime.redis.flushdb()
        yield application


@pytest_asyncio.fixture(scope="session")
async def runtime(app: FastAPI) -> Runtime:
    found: Runtime = app.state.runtime
    return found


@pytest_asyncio.fixture(scope="session")
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, in process: real HTTP messages, no socket."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def scratch(engines_and_template: tuple[Engines, str], worker_number: int) -> "ScratchFactory":
    """Return a factory of throw-away applications, for tests that break their database."""
    return ScratchFactory(engines_and_template, worker_number)


@pytest.fixture
async def alone(scratch: "ScratchFactory") -> AsyncIterator[FastAPI]:
    """An application whose ledger begins with the test, and may be damaged."""
    async with scratch() as application:
        yield application


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A copy of the application and its tests, to plant a flaw in."""
    flaws.copy_to(tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path)


class ScratchFactory:
    """Makes applications on databases of their own (Redis database 8 and up is theirs)."""

    def __init__(self, engines_and_template: tuple[Engines, str], worker_number: int) -> None:
        self._engines, self._template = engines_and_template
        self._redis_db = 8 + worker_number

    @asynccontextmanager
    async def __call__(self, **overrides: object) -> AsyncIterator[FastAPI]:
        name = f"scratch_{os.getpid()}_{next(_scratch_numbers)}"
        admin_url = self._engines.admin_database_url
        await create_database(admin_url, name, template=self._template)
        try:
            application = create_app(settings_for(self._engines, name, self._redis_db, **overrides))
            async with application.router.lifespan_context(application):
                await application.state.runtime.redis.flushdb()
                yield application
        finally:
            await drop_database(admin_url, name)
