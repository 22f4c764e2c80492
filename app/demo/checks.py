"""What the play expects, compared with what it finds."""

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
    """Every expectation of the play passes here, so that none can fail unnoticed."""

    console: Console
    held: int = 0
    misses: list[Miss] = field(default_factory=list)

    def equal(self, what: str, expected: object, found: object) -> bool:
        """Compare; a difference is told at once and remembered for the exit status."""
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
        """0 only if something was checked and all of it held."""
        return 0 if self.held and not self.misses else 1
