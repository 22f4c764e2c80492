import pytest_asyncio

from app.runtime import Runtime
from app.services import policies


@pytest_asyncio.fixture(scope="session", autouse=True)
async def _warm(runtime: Runtime) -> None:
    async with runtime.database.read() as tx:
        await policies.in_force(tx)
