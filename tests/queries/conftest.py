"""A connection that may change the schema."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.core.settings import Settings
from app.embedded.databases import connect


@pytest.fixture
async def as_owner(settings: Settings, app: FastAPI) -> AsyncIterator[Any]:
    """A connection as the owner of the schema, in a transaction that is rolled back."""
    assert settings.migration_database_url is not None
    connection = await connect(settings.migration_database_url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()
