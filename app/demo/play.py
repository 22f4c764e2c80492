"""The play: one community day in 扬中市, over HTTP, checked to the point."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from rich.console import Console
from rich.panel import Panel

from app.demo.acts import attendance, closing, gathering, honours, payments, rewards
from app.demo.checks import Checks
from app.demo.day import Day
from app.demo.phone import Network, Unexpected
from app.demo.stage import Stage, StageFailed, stage

INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended


def play(console: Console) -> int:
    """Play the day on a server of its own; return 0 only if every check held."""
    started, checks = time.monotonic(), Checks(console)
    console.print(
        Panel.fit(
            "[bold]青享的一天[/]  江苏省扬中市三茅街道\n"
            "[dim]One community day, played over HTTP against a server of its own[/]",
            border_style="cyan",
            padding=(0, 3),
        )
    )
    try:
        with _ended_by_signals():
            finished = _on_stage(console, checks)
    except KeyboardInterrupt:
        console.print("\n[yellow]已中断，服务已停止。[/] [dim]Interrupted; nothing runs on.[/]")
        return INTERRUPTED
    if not finished:
        return 1
    return conclude(console, checks, time.monotonic() - started)


def conclude(console: Console, checks: Checks, seconds: float) -> int:
    """Print the last line; return the exit status."""
    misses = len(checks.misses)
    if checks.exit_status == 0:
        console.print(
            f"\n[bold green]一分不差[/]：{checks.held} 项核对全部成立，用时 {seconds:.0f} 秒。"
            f" [dim]All {checks.held} checks hold.[/]",
            highlight=False,
        )
    else:
        console.print(
            f"\n[bold red]{misses} 项不符[/]，{checks.held} 项成立。"
            f" [dim]{misses} checks failed, {checks.held} hold.[/]",
            highlight=False,
        )
    return checks.exit_status


def _on_stage(console: Console, checks: Checks) -> bool:
    """Play everything; return False if the day could not be played to its end."""
    place: Stage | None = None
    try:
        with console.status("启动独立的服务…  [dim]starting a server of its own[/]"):
            opening = stage()
            place = opening.__enter__()
    except StageFailed as failure:
        console.print(str(failure), markup=False, style="red")
        return False
    return place is not None
