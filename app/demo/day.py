"""The state shared by all acts: people, book, checks and output."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.rule import Rule
from rich.text import Text

from app.core.clock import now
from app.demo.book import Book
from app.demo.checks import Checks
from app.demo.phone import Network, Phone
from app.demo.stage import Stage

T = TypeVar("T")
P = TypeVar("P")


@dataclass
class Day:
    """One run. ``residents``: all sixty; ``present``: the fifty with a place."""

    console: Console
    checks: Checks
    network: Network
    book: Book = field(default_factory=Book)
    residents: list[Phone] = field(default_factory=list)
    present: list[Phone] = field(default_factory=list)
    waiting: list[Phone] = field(default_factory=list)
    awards: list[str] = field(default_factory=list)  # by their check-ins
    stage: Stage = field(init=False)
    admin: Phone = field(init=False)
    organizer: Phone = field(init=False)
    reviewer: Phone = field(init=False)
    auditor: Phone = field(init=False)
    assistant: Phone = field(init=False)  # co-organizer
    cafe: Phone = field(init=False)
    bank: Phone = field(init=False)
    leaver: Phone = field(init=False)  # whose account is closed
    erased: str = ""  # the leaver's name, once it is erased
    merchants: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name
    city: dict[str, Any] = field(default_factory=dict)
    street: dict[str, Any] = field(default_factory=dict)
    community: dict[str, Any] = field(default_factory=dict)
    activity: dict[str, Any] = field(default_factory=dict)
    _told_misses: int = 0

    async def operate(self, *words: str) -> str:
        """Run a command of `qingxiang` as the operator; return the last line that it printed."""
        done = await asyncio.to_thread(self.stage.command, *words)
        if done.returncode != 0:
            self.console.print(done.stdout + done.stderr, markup=False, style="red")
        self.checks.equal(f"exit status of `qingxiang {' '.join(words[:2])}`", 0, done.returncode)
        return (done.stdout.strip().splitlines() or [""])[-1]

    @property
    def staying(self) -> list[Phone]:
        """Return the residents but the leaver, whose login ends with the next run of a job."""
        return [who for who in self.residents if who is not self.leaver]

    async def announce(self, title: str, began: timedelta, ends: timedelta, **terms: Any) -> str:
        """Publish an activity of the street that has begun and pays by the hour; return its id."""
        at = now().replace(microsecond=0)
        body = {
            "org_id": self.street["id"],
            "title": title,
            "category": "volunteer_service",
            "starts_at": (at - began).isoformat(),
            "ends_at": (at + ends).isoformat(),
            "rule_key": "volunteer_hour",
        }
        made = (await self.organizer.do("/activities", body | terms)).want(201)
        shown = (await self.organizer.post(f"/activities/{made['id']}/publish")).want(200)
        self.checks.equal("phase of the activity", "running", shown["phase"])
        return str(made["id"])

    def act(self, title: str, gloss: str) -> None:
        self.console.print()
        self.console.print(
            Rule(f"[bold cyan]{title}[/] [dim]{gloss}[/]", align="left", style="cyan dim")
        )

    def say(self, text: str, gloss: str = "") -> None:
        """Print a step, marked as failed if a check since the last step failed."""
        fine = len(self.checks.misses) == self._told_misses
        self._told_misses = len(self.checks.misses)
        mark = "[green]✓[/]" if fine else "[bold red]✗[/]"
        line = Text.from_markup(f"  {mark} {text}")
        english = Text(gloss, style="dim")
        beside = line.cell_len + 2 + english.cell_len <= self.console.width
        line.append("  " if beside else "\n      ").append_text(english)
        self.console.print(line if gloss else f"  {mark} {text}", highlight=False)

    def refused(self, what: str, expected: str, verdict: str) -> str:
        """Check a refusal; return it formatted for output."""
        self.checks.equal(what, expected, verdict)
        return f"[yellow]{escape(verdict)}[/]"

    async def crowd(
        self, label: str, people: Sequence[P], deed: Callable[[P], Awaitable[T]]
    ) -> list[T]:
        """Run an action for all people concurrently; return the results in the order of people."""
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
                # report one; the other errors are usually the same
                raise failed.exceptions[0] from None
        return [done.result() for done in running]
