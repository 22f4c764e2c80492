"""Two processes that prepare one new database at the same time."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.core.settings import Settings
from app.migrations import migrate
from app.serve import load_demonstration
from app.services import health
from tests.engines import SECRET
from tests.faults.server import PROJECT, command, environment

Turn = Callable[[Any], Awaitable[None]]


@pytest.mark.long
async def test_both_processes_migrate_a_new_database(empty: str, tmp_path: Any) -> None:
    urls = {"database_url": empty, "migration_database_url": empty, "redis_url": "redis://x"}
    variables = environment(tmp_path, secret_key=SECRET, **urls)
    both = [
        await asyncio.create_subprocess_exec(
            *command("migrate"), cwd=PROJECT, env=variables, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [(await one.communicate())[1].decode() for one in both]
    assert [one.returncode for one in both] == [0, 0], said


@pytest.fixture
async def migrated(empty: str) -> Settings:
    await asyncio.to_thread(migrate, empty)
    return Settings.model_validate(
        {"database_url": empty, "redis_url": "redis://x", "secret_key": SECRET}
    )


async def both_seed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, turn: Turn
) -> tuple[bool | BaseException, ...]:
    """Load the demonstration twice; neither takes its turn before both are there."""
    there = asyncio.Barrier(2)

    async def meet(tx: Any) -> None:
        await there.wait()
        await turn(tx)

    monkeypatch.setattr(health, "take_turn", meet)
    loads = (load_demonstration(settings), load_demonstration(settings))
    return await asyncio.gather(*loads, return_exceptions=True)


async def test_one_of_two_loads_the_demonstration(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = await both_seed(migrated, monkeypatch, health.take_turn)
    assert {*outcomes} == {True, False}


async def test_without_turns_one_of_two_would_fail(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_: Any) -> None:
        pass

    outcomes = await both_seed(migrated, monkeypatch, at_once)
    failed = [one for one in outcomes if isinstance(one, BaseException)]
    assert (len(failed), True in outcomes) == (1, True)
