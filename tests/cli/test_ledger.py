"""`qingxiang ledger verify`: what an auditor reads, and what the exit status says."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from app.cli import attached, ledger
from app.core.clock import local_date, now
from app.jobs import seals
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.ledger import give_points
from tests.factories.people import make_person

YESTERDAY = local_date(now()) - timedelta(days=1)
Verify = Callable[..., Awaitable[Result]]


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@pytest.fixture
def verify(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Verify:
    monkeypatch.setattr(attached, "get_settings", lambda: runtime.settings)

    async def invoke(*options: str) -> Result:
        words = ["verify", *options]
        return await asyncio.to_thread(lambda: CliRunner().invoke(ledger.cli, words))

    return invoke


async def sealed(runtime: Runtime) -> str:
    """Give points yesterday and seal the day; return its seal."""
    person = await make_person(runtime)
    await give_points(runtime, person.id, 10, at=now() - timedelta(days=1))
    await seals.seal(runtime)
    async with runtime.database.read() as tx:
        rows = await tx.fetch("SELECT encode(seal, 'hex') AS seal FROM ledger_seals", {})
    return str(rows[0].seal)


async def test_what_was_read_is_told_with_the_last_sealed_day(
    verify: Verify, runtime: Runtime
) -> None:
    assert "No day is sealed." in (await verify()).stdout

    seal = await sealed(runtime)
    done = await verify("--seal", f"{YESTERDAY}={seal}")

    assert done.exit_code == 0, done.output
    assert "Read 2 accounts, 1 transfers, 1 lots, 0 lot uses; 25 checks." in done.stdout
    assert f"Sealed to {YESTERDAY}." in done.stdout
    assert "The ledger verifies." in done.stdout


async def test_each_difference_is_a_line_and_the_exit_status_is_one(
    verify: Verify, runtime: Runtime
) -> None:
    """Also where nobody looks at a terminal of so many columns."""
    await sealed(runtime)
    await as_owner(runtime.settings, "UPDATE ledger_transfers SET reference = 'another'")
    other = "3f" * 32

    done = await verify("--seal", f"{YESTERDAY}={other}")

    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    (kept,) = [line for line in lines if line.startswith("seals: those that were published")]
    assert f"seal of {YESTERDAY}: expected {other}, found " in kept
    assert any("seals: each day's tree" in line and "level 1" in line for line in lines)


@pytest.mark.parametrize("seal", ["2026-11-21", "yesterday=3f", "2026-11-21=seal", "2026-02-30=3f"])
async def test_a_seal_that_cannot_be_read_is_told(verify: Verify, seal: str) -> None:
    done = await verify("--seal", seal)
    assert done.exit_code == 1
    assert "a seal is given as" in done.stderr
