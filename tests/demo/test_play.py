"""The demonstration holds, and would fail if a single point were missing."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from app.demo.acts.closing import reconcile
from app.demo.acts.door import compare
from app.demo.checks import Checks
from app.demo.day import Day
from app.demo.phone import Network, Phone
from app.demo.play import MARKET, WEEKEND, conclude

PROJECT = Path(__file__).resolve().parents[2]
DEMO = (sys.executable, "-m", "app.cli", "demo")
LIMIT_S = 300  # 80 s on an idle machine


@pytest.fixture
def stagehouse() -> Iterator[Path]:
    """Where the play makes its directory. Every user may enter it: the engines are not root."""
    with tempfile.TemporaryDirectory(prefix="qx-test-demo-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


def _environment(stagehouse: Path) -> dict[str, str]:
    # The settings are wrong on purpose: none of them may reach the play's own server.
    wrong = {"QX_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:9/none", "QX_WORKERS": "3"}
    return {**os.environ, **wrong, "TMPDIR": str(stagehouse), "PYTHONIOENCODING": "utf-8"}


@pytest.mark.long
def test_the_month_holds_and_leaves_nothing_behind(stagehouse: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        DEMO,
        cwd=PROJECT,
        env=_environment(stagehouse),
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "一分不差" in done.stdout.strip().splitlines()[-1]
    assert "✗" not in done.stdout
    numbers = "一二三四五六七八九"[: len(WEEKEND)]
    assert all(f"周末{number} · " in done.stdout for number in numbers)
    # The first of the market plays two days.
    numbers = "一二三四五六七八九"[: len(MARKET) + 1]
    assert all(f"集市{number} · " in done.stdout for number in numbers)
    assert list(stagehouse.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.long
def test_an_interrupted_month_leaves_nothing_behind(stagehouse: Path, number: int) -> None:
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        DEMO,
        cwd=PROJECT,
        env=_environment(stagehouse),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        while "Sixty residents" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        rest, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, rest
    assert "Interrupted" in rest
    assert list(stagehouse.iterdir()) == []


@pytest.mark.parametrize("closing_act", [reconcile, lambda day: compare(day, day.residents)])
@pytest.mark.parametrize(("told", "status"), [(24, 0), (23, 1), (25, 1)])
def test_one_point_off_fails_the_play(
    closing_act: Callable[[Day], Awaitable[None]], told: int, status: int
) -> None:
    """The negative control: the service tells a balance that the book does not have."""
    console = Console(record=True, width=100, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115

    async def closing() -> Checks:
        transport = httpx.MockTransport(lambda request: _service(request, told))
        async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
            day = Day(console, Checks(console), Network(client))
            day.residents = [Phone(day.network, "resident-01", "高远航")]
            day.book.open("高远航")
            day.book.award("高远航", 24, 360)
            await closing_act(day)
        return day.checks

    checks = asyncio.run(closing())
    assert conclude(console, checks, 0.0) == status
    console.file.close()
    output = console.export_text()
    assert ("✗ balances of 高远航" in output) == bool(status)
    assert (f"'available': {told}" in output) == bool(status)


def test_a_month_without_a_check_does_not_count_as_held() -> None:
    assert Checks(Console(quiet=True)).exit_status == 1


def _service(request: httpx.Request, available: int) -> httpx.Response:
    if request.url.path.endswith("/entries"):
        return httpx.Response(200, json={"items": [{"number": 1, "balance_after": available}]})
    balances = {"available": available, "pending": 0, "held": 0, "minutes": 360}
    return httpx.Response(200, json=balances)
