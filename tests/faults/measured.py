"""Figures of a run of faults: each test says what it measured, the end shows one table."""

from dataclasses import dataclass, field


@dataclass
class Measured:
    """Rows of (fault, what, value), in the order in which they were said."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, fault: str, what: str, value: object) -> None:
        """Keep one figure, e.g. ``measured("F8", "acknowledged, then lost", "5,120, 0")``."""
        self.rows.append((fault, what, str(value)))

    def table(self) -> list[str]:
        """Return the lines of a Markdown table: it is pasted into a document as it is."""
        rows = [("fault", "what", "measured"), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        ]
        ruler = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return [f"{lines[0]} |", ruler, *(f"{line} |" for line in lines[1:])]
