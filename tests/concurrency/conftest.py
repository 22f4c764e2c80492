"""An application to break."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from tests.conftest import ScratchFactory


@pytest.fixture
async def broken(scratch: ScratchFactory) -> AsyncIterator[FastAPI]:
    """An application whose database a test may damage: a negative control, marked as long."""
    async with scratch() as app:
        yield app
