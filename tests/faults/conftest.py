"""What a run of faults needs, and the table of figures at its end."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.scratch import scratch_engines
from bench.wrk import require_wrk
from tests.faults.hosts import Ground
from tests.faults.measured import Measured

_measured = pytest.StashKey[Measured]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_measured] = Measured()


def pytest_collection_finish(session: pytest.Session) -> None:
    if any(item.get_closest_marker("needs_wrk") for item in session.items):
        try:
            require_wrk()
        except SystemExit as error:
            pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> Measured:
    """Collect figures: ``measured("F8", "lost", 0)``; printed as a table at the end."""
    return pytestconfig.stash[_measured]


@pytest_asyncio.fixture(scope="module")
async def ground() -> AsyncIterator[Ground]:
    """Engines with a fresh database, for towns whose clocks are set."""
    with scratch_engines() as (directory, found):
        made = Ground(directory, found, "ground")
        await made.make()
        yield made


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    figures = config.stash[_measured]
    if figures.rows:
        terminalreporter.section("measured")
        for line in figures.table():
            terminalreporter.write_line(line)
