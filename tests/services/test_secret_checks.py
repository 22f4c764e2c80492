"""A database belongs to the secret that it was made with."""

import pytest
from fastapi import FastAPI

from app.core.keys import check_value
from app.main import create_app
from app.runtime import Runtime
from app.services import health
from app.services.health import AnotherSecret
from tests.engines import SECRET, as_owner

FIRST, SECOND, THIRD = (f"the {name} secret of at least 32 bytes".encode() for name in "abc")


@pytest.fixture
async def runtime(alone: FastAPI) -> Runtime:
    """A database in which no secret was used yet."""
    found: Runtime = alone.state.runtime
    await as_owner(found.settings, "DELETE FROM secret_checks")
    return found


async def start(runtime: Runtime, *secrets: bytes) -> None:
    async with runtime.database.transaction() as tx:
        await health.require_own_secret(tx, secrets)


async def test_the_first_secret_is_the_databases(runtime: Runtime) -> None:
    await start(runtime, FIRST)
    await start(runtime, FIRST)
    with pytest.raises(AnotherSecret, match="QX_SECRET_KEY_PREVIOUS"):
        await start(runtime, SECOND)
    with pytest.raises(AnotherSecret):
        await start(runtime, SECOND, THIRD)
    await start(runtime, FIRST)


async def test_a_rotation_hands_the_database_on(runtime: Runtime) -> None:
    await start(runtime, FIRST)
    await start(runtime, SECOND, FIRST)
    await start(runtime, SECOND)
    with pytest.raises(AnotherSecret):
        await start(runtime, FIRST)
    await start(runtime, FIRST, SECOND)  # and back again


async def test_an_application_with_another_secret_does_not_start(alone: FastAPI) -> None:
    settings = alone.state.runtime.settings
    changed = {"secret_key": THIRD.decode(), "secret_key_previous": None}
    other = create_app(type(settings).model_validate({**settings.model_dump(), **changed}))
    with pytest.raises(AnotherSecret):
        async with other.router.lifespan_context(other):
            pass
    rotated = {"secret_key": THIRD.decode(), "secret_key_previous": SECRET}
    after = create_app(type(settings).model_validate({**settings.model_dump(), **rotated}))
    async with after.router.lifespan_context(after):
        pass


def test_a_check_value_does_not_show_the_secret() -> None:
    assert check_value(FIRST) != check_value(SECOND)
    assert FIRST not in check_value(FIRST)
    assert len(check_value(FIRST)) == 32
