"""Figures reach the end of the run."""

from tests.faults.measured import Measured


def test_the_table_holds_every_figure_in_order() -> None:
    figures = Measured()
    figures("F8", "lost", 0)
    figures("F10", "restored in", "1.5 s")
    assert figures.table() == [
        "| fault | what        | measured |",
        "|-------|-------------|----------|",
        "| F8    | lost        | 0        |",
        "| F10   | restored in | 1.5 s    |",
    ]
