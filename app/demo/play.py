"""Runs the demonstration: a month of 扬中市 over HTTP, from an empty database."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console
from rich.panel import Panel

from app.demo.acts import (
    appeals,
    attendance,
    big_day,
    careful,
    catalogue,
    closing,
    counters,
    courtesies,
    door,
    exchange,
    farewell,
    founding,
    gathering,
    honours,
    night_school,
    offices,
    offline_hall,
    papers,
    payments,
    public_figures,
    quest,
    queue,
    rewards,
    rota,
    settlement,
    shelves,
    summer_class,
)
from app.demo.checks import Checks
from app.demo.day import Day
from app.demo.examples import Examples, keep
from app.demo.phone import AT_ONCE, Network, Unexpected
from app.demo.stage import Stage, StageFailed, stage

INTERRUPTED = 130  # exit status of a command that Ctrl-C ended
ENDING = (signal.SIGTERM, signal.SIGHUP)
REPLY_S = 30.0
FILE_WIDTH = 100  # columns when the output is a file or a pipe
# The second act. It comes before the erasure, which waits for a job anyway.
WEEKEND = (
    night_school.study,
    rota.take_turns,
    quest.walk,
    queue.wait,
    door.admit,
    summer_class.hold,
    offline_hall.fill,
)
# The third act: points are spent together, merchants are paid, the fund tells its figures.
MARKET = (
    big_day.hold,
    settlement.settle,
    exchange.exchange,
    public_figures.show,
    courtesies.thank,
)
ACTS = (
    *(founding.found, offices.appoint, counters.admit, catalogue.offer),
    *(gathering.publish, gathering.sign_up, gathering.amend, gathering.make_room),
    *(attendance.check_in, attendance.confirm, honours.honour, appeals.appeal),
    *(papers.certify, farewell.leave),
    *(rewards.redeem, payments.pay, careful.confirm, payments.statements),
    shelves.publish,
    *WEEKEND,
    *MARKET,
    *(farewell.forget, closing.reconcile, closing.verify),
)


def play(console: Console, examples: Path | None = None) -> int:
    """Run all acts on a server of its own; return 0 only if all checks held.

    ``examples``: where examples of replies are written, for the OpenAPI document.
    """
    started, checks = time.monotonic(), Checks(console)
    kept = Examples()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(
        Panel.fit(
            "[bold]青享的一个月[/]  江苏省扬中市三茅街道\n"
            "[dim]One month from an empty database, played over HTTP on a server of its own[/]",
            border_style="cyan",
            padding=(0, 3),
        )
    )
    try:
        with _ended_by_signals():
            finished = _on_stage(console, checks, kept if examples else None)
    except KeyboardInterrupt:
        console.print("\n[yellow]已中断，服务已停止。[/] [dim]Interrupted; nothing runs on.[/]")
        return INTERRUPTED
    if not finished:
        return 1
    if examples is not None and not checks.misses:
        with stage(demo_data="on") as place:
            asyncio.run(keep(kept, place))
        kept.write(examples)
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


def _on_stage(console: Console, checks: Checks, kept: Examples | None) -> bool:
    """Run all acts; return False if they could not be completed."""
    with ExitStack() as cleared:
        try:
            with console.status("启动独立的服务…  [dim]starting a server of its own[/]"):
                place = cleared.enter_context(stage())
        except StageFailed as failure:
            console.print(str(failure), markup=False, style="red")
            return False
        # The cleanup takes a second or two: print why.
        cleared.enter_context(_stopping(console))
        try:
            asyncio.run(_through_the_month(console, checks, place, kept))
        except (Unexpected, httpx.TransportError, subprocess.TimeoutExpired) as error:
            console.print(f"  ✗ {type(error).__name__}: {error}", markup=False, style="bold red")
            _print_tail(console, place)
            return False
        if checks.misses:
            _print_tail(console, place)
    return True


async def _through_the_month(
    console: Console, checks: Checks, place: Stage, kept: Examples | None
) -> None:
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(
        base_url=place.url, limits=limits, timeout=REPLY_S, trust_env=False
    ) as client:
        day = Day(console, checks, Network(client))
        day.stage = place
        if kept is not None:
            await kept.learn(client)
            client.event_hooks = {"response": [kept.note]}
        for act in ACTS:
            await act(day)


@contextmanager
def _stopping(console: Console) -> Iterator[None]:
    yield
    console.print("\n[dim]停止服务，清理现场…  stopping the server[/]")


def _print_tail(console: Console, place: Stage) -> None:
    console.print("\n[dim]服务日志末尾  The server's log ends:[/]")
    console.print(place.tail(), markup=False, highlight=False, style="dim")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Handle SIGTERM and SIGHUP like Ctrl-C, so that the server is stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
