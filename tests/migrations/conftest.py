"""An empty database, for migrations to fill."""

import os
from collections.abc import AsyncIterator

import pytest

from app.embedded.databases import create_database, drop_database, renamed
from app.embedded.layout import Engines


@pytest.fixture
async def empty(engines_and_template: tuple[Engines, str]) -> AsyncIterator[str]:
    """The owner's URL of a database without a table."""
    found, _ = engines_and_template
    name = f"scratch_{os.getpid()}_migrations"
    await drop_database(found.admin_database_url, name)
    await create_database(found.admin_database_url, name)
    yield renamed(found.migration_database_url, name)
    await drop_database(found.admin_database_url, name)


@pytest.fixture
async def migrated(engines_and_template: tuple[Engines, str]) -> AsyncIterator[str]:
    """The owner's URL of a database at the newest migration: a copy of the tests' template."""
    found, template = engines_and_template
    name = f"scratch_{os.getpid()}_migrated"
    await drop_database(found.admin_database_url, name)
    await create_database(found.admin_database_url, name, template=template)
    yield renamed(found.migration_database_url, name)
    await drop_database(found.admin_database_url, name)
