"""What a run of faults needs, and the table of figures at its end."""

import pytest

from bench.wrk import require_wrk
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


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    figures = config.stash[_measured]
    if figures.rows:
        terminalreporter.section("measured")
        for line in figures.table():
            terminalreporter.write_line(line)
