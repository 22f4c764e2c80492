"""Fixtures of all tests. Each xdist worker has its own database and Redis database.

Tests do not clean up: each creates the people, organisations and activities that it needs
(see factories/), so that tests are independent of each other and of their order. They are
independent of the hour and the day, too: see factories/clock.py for how.
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
from app.embedded.databases import create_database, drop_database
from app.embedded.layout import Engines
from app.main import create_app
from app.runtime import Runtime
from tests import flaws
from tests.engines import settings_for, test_engines
from tests.factories.clock import noon, travel
from tests.factories.http import in_process

_scratch_numbers = count(1)


def pytest_configure() -> None:
    """Restore the SIGINT handler: a background job inherits SIG_IGN, which child processes keep."""
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
    engines_and_template: tuple[Engines, str],
    worker_number: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Settings]:
    """Settings of a new copy of the template database: divisions, default policy, eight people."""
    found, template = engines_and_template
    name = f"test_{os.getpid()}"
    await create_database(found.admin_database_url, name, template=template)
    files = tmp_path_factory.mktemp("data")
    yield settings_for(found, name, redis_db=worker_number + 1, data_dir=files)
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
    async with in_process(app) as client:
        yield client


@pytest.fixture
def scratch(engines_and_template: tuple[Engines, str], worker_number: int) -> "ScratchFactory":
    """Return a factory of temporary applications, for tests that damage their database."""
    return ScratchFactory(engines_and_template, worker_number)


@pytest_asyncio.fixture(scope="module")
async def unstarted(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Settings]:
    """Settings of a database on which nothing has started, so that it belongs to no secret."""
    found, template = engines_and_template
    name = f"scratch_{os.getpid()}_{next(_scratch_numbers)}"
    await create_database(found.admin_database_url, name, template=template)
    yield settings_for(found, name, redis_db=8 + worker_number)
    await drop_database(found.admin_database_url, name)


@pytest.fixture
def at_noon() -> Iterator[None]:
    """Run the test from noon in Shanghai on: see tests/factories/clock.py."""
    with travel(noon(), tick=True):
        yield


@pytest.fixture
async def alone(scratch: "ScratchFactory") -> AsyncIterator[FastAPI]:
    """An application with an empty ledger, which the test may damage."""
    async with scratch() as application:
        yield application


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A copy of the application and its tests, in which a flaw can be planted."""
    flaws.copy_to(tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path)


class ScratchFactory:
    """Creates applications with databases of their own (Redis databases from 8 on)."""

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
