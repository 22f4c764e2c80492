"""The table of figures at the end of a run of faults."""

import pytest

from tests.faults.measured import Measured

_measured = pytest.StashKey[Measured]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_measured] = Measured()


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
