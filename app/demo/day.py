"""What the acts of the play share: the people, the book, the checks, and the telling."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.rule import Rule
from rich.text import Text

from app.demo.book import Book
from app.demo.checks import Checks
from app.demo.phone import Network, Phone

T = TypeVar("T")
P = TypeVar("P")


@dataclass
class Day:
    """One day. ``residents`` are all sixty; ``present`` the fifty who hold a place."""

    console: Console
    checks: Checks
    network: Network
    book: Book = field(default_factory=Book)
    residents: list[Phone] = field(default_factory=list)
    present: list[Phone] = field(default_factory=list)
    waiting: list[Phone] = field(default_factory=list)
    organizer: Phone = field(init=False)
    cafe: Phone = field(init=False)
    bank: Phone = field(init=False)
    city: dict[str, Any] = field(default_factory=dict)
    street: dict[str, Any] = field(default_factory=dict)
    activity: dict[str, Any] = field(default_factory=dict)
    _told_misses: int = 0

    def act(self, title: str, gloss: str) -> None:
        self.console.print()
        self.console.print(
            Rule(f"[bold cyan]{title}[/] [dim]{gloss}[/]", align="left", style="cyan dim")
        )

    def say(self, text: str, gloss: str = "") -> None:
        """Tell a step; marked by whether every check since the last one held."""
        fine = len(self.checks.misses) == self._told_misses
        self._told_misses = len(self.checks.misses)
        mark = "[green]✓[/]" if fine else "[bold red]✗[/]"
        line = Text.from_markup(f"  {mark} {text}")
        english = Text(gloss, style="dim")
        beside = line.cell_len + 2 + english.cell_len <= self.console.width
        line.append("  " if beside else "\n      ").append_text(english)
        self.console.print(line if gloss else f"  {mark} {text}", highlight=False)

    def refused(self, what: str, expected: str, verdict: str) -> str:
        """Check a refusal; return it as it is told."""
        self.checks.equal(what, expected, verdict)
        return f"[yellow]{escape(verdict)}[/]"

    async def crowd(
        self, label: str, people: Sequence[P], deed: Callable[[P], Awaitable[T]]
    ) -> list[T]:
        """Let everybody do the same at once; return what came of it, in the order of people."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=40, complete_style="cyan", finished_style="cyan"),
            MofNCompleteColumn(),
        )
        with Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        ) as progress:
            task = progress.add_task(label, total=len(people))

            async def one(person: P) -> T:
                result = await deed(person)
                progress.advance(task)
                return result

            try:
                async with asyncio.TaskGroup() as group:
                    running = [group.create_task(one(person)) for person in people]
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None  # the others say the same
        return [done.result() for done in running]
