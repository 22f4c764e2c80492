"""`qingxiang ledger verify`: what an auditor reads, and what the exit status says."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlmodel import select
from typer.testing import CliRunner, Result

from app.cli import attached, ledger
from app.jobs import seals
from app.models.audit import AuditEntry
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.clock import A_DAY, TODAY, noon
from tests.factories.ledger import give_points
from tests.factories.people import make_person

pytestmark = pytest.mark.usefixtures("at_noon")
YESTERDAY = TODAY - A_DAY
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
    await give_points(runtime, person.id, 10, at=noon(1))
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
    assert "Read 2 accounts, 1 transfers, 1 lots, 0 lot uses; 125 checks." in done.stdout
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


async def test_a_unit_is_opened_once_and_stands_in_the_audit_trail(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attached, "get_settings", lambda: runtime.settings)
    words = ["open-unit", "jingjiang_points", "靖江青年积分"]
    done = [await asyncio.to_thread(CliRunner().invoke, ledger.cli, words) for _ in "ab"]

    assert [one.stdout.strip() for one in done] == [
        "jingjiang_points is open.",
        "jingjiang_points was open before.",
    ]
    async with runtime.database.read() as tx:
        [entry] = await tx.exec(select(AuditEntry).where(AuditEntry.subject_type == "unit"))
    assert (entry.verb, entry.actor_id, entry.org_id) == ("created", None, None)
    assert entry.facts == {"unit": "jingjiang_points", "name": "靖江青年积分"}


@pytest.mark.parametrize("seal", ["2026-11-21", "yesterday=3f", "2026-11-21=seal", "2026-02-30=3f"])
async def test_a_seal_that_cannot_be_read_is_told(verify: Verify, seal: str) -> None:
    done = await verify("--seal", seal)
    assert done.exit_code == 1
    assert "a seal is given as" in done.stderr


async def test_a_routine_run_goes_on_from_the_given_seal(
    verify: Verify, runtime: Runtime, tmp_path: Path
) -> None:
    """What was tampered with before it is left to the sums; a full run recomputes it."""
    seal = await sealed(runtime)
    kept = f"{YESTERDAY}={seal}"
    await as_owner(runtime.settings, "UPDATE ledger_transfers SET reference = 'another'")

    routine = await verify("--seal", kept)
    full = await verify("--seal", kept, "--full")
    bare = await verify()
    file = tmp_path / "seals.txt"
    file.write_text(f"{YESTERDAY} {seal}\n")
    compared = await verify("--seals", str(file))

    assert routine.exit_code == 0, routine.output
    assert f"Went on from the seal of {YESTERDAY}." in routine.stdout
    for done in (full, bare, compared):
        assert done.exit_code == 1
        assert "Went on" not in done.stdout
        assert f"seal of {YESTERDAY}" in done.stdout


async def test_what_a_routine_run_goes_on_from_is_in_the_chain(
    verify: Verify, runtime: Runtime
) -> None:
    """A seal that the chain does not have is a difference, and everything is recomputed."""
    seal = await sealed(runtime)
    await as_owner(
        runtime.settings,
        "DELETE FROM ledger_seals",
        "DELETE FROM ledger_seal_nodes",
        "DELETE FROM ledger_sealed_facts",
    )
    assert (await verify()).exit_code == 0

    done = await verify("--seal", f"{YESTERDAY}={seal}")

    assert done.exit_code == 1
    assert f"seal of {YESTERDAY}: expected {seal}, found None" in done.stdout
    assert "Went on" not in done.stdout


@pytest.mark.parametrize("text", ["2026-11-21 3f", "2026-02-30 " + "3f" * 32, None])
async def test_a_file_of_seals_that_cannot_be_read_is_told(
    verify: Verify, tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "seals.txt"
    if text is not None:
        file.write_text(text)
    done = await verify("--seals", str(file))
    assert done.exit_code == 1
    assert "seals.txt" in done.stderr.replace("\n", "")  # it is wrapped
