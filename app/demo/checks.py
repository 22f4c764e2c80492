"""Comparisons of expected and actual results."""

from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape


@dataclass(frozen=True)
class Miss:
    what: str
    expected: object
    found: object


@dataclass
class Checks:
    """Counts all comparisons of the demonstration, so that no failure is lost."""

    console: Console
    held: int = 0
    misses: list[Miss] = field(default_factory=list)

    def equal(self, what: str, expected: object, found: object) -> bool:
        """Compare; print a difference and record it for the exit status."""
        if expected == found:
            self.held += 1
            return True
        self.misses.append(Miss(what, expected, found))
        self.console.print(
            f"  [bold red]✗ {escape(what)}[/]\n"
            f"      expected {escape(repr(expected))}\n"
            f"      found    {escape(repr(found))}",
            highlight=False,
        )
        return False

    @property
    def exit_status(self) -> int:
        """0 only if there was at least one comparison and none failed."""
        return 0 if self.held and not self.misses else 1
