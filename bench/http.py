"""`python -m bench.http`: what the service answers a second, in parts of an echo and of a bound.

The echo is a bare FastAPI application that validates a body and sends it back; the bound does what
a check-in must do and nothing else (``bench.bound``). Everything runs on this machine at the same
time: the load generator, two workers each of the service, the echo and the bound, the job worker,
PostgreSQL and Valkey.

In each round a case, the echo, and for a check-in the bound, run directly one after the other, in
turns forwards and backwards: a slow minute of the machine strikes all of them. A ratio is the
median of those of the rounds.
"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from app.runtime import open_runtime
from bench.bound import bound
from bench.cases import Bench, Case
from bench.service import PARTS, WORKERS, Service, running, service
from bench.wrk import Load, Request, require_wrk, wrk

PORT, ECHO_PORT, BOUND_PORT = 8471, 8472, 8474
# How many requests a second are prepared, before it is known what this machine can answer.
PREPARED_RATE = 4_000
SPARE = 2.5
# Whose latency is looked at: at which part of the peak rate; and of how many requests a second on
# an idle service.
CALM = ("check-in, one hot activity", "GET activity")
CALM_PART, IDLE_RATE = 0.7, 20
ECHO = Request("POST", "/echo", "x" * 400, body='{"code":"' + "A" * 32 + '"}')
# What the bound is asked.
CHECK_IN = "check-in, one hot activity"


@dataclass
class Measured:
    """The rounds of a case. ``costs``: milliseconds of a core for each request, by part."""

    wanted: float | None = None
    beside: tuple[str, float] | None = None
    loads: list[Load] = field(default_factory=list)
    costs: list[dict[str, float]] = field(default_factory=list)
    to_echo: list[float] = field(default_factory=list)
    to_bound: list[float] = field(default_factory=list)
    to_case: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return median(load.rate for load in self.loads)


class Rounds:
    """Runs cases on one running service, beside the echo and the bound at their URLs."""

    def __init__(self, one: Service, echo: str, bound_url: str, seconds: int) -> None:
        self._service, self._echo, self._bound, self._seconds = one, echo, bound_url, seconds
        self._peaks: dict[str, float] = {}
        self.found: dict[str, Measured] = {"echo": Measured(), "bound, a check-in": Measured()}

    async def pair(self, case: Case, check_in: Case, *, backwards: bool) -> None:
        """Measure a case, the echo, and for a check-in the bound."""
        runs = {case.name: self.run(case), "echo": self._run_echo()}
        if case.is_checkin:
            runs["bound, a check-in"] = self._run_bound(check_in)
        rates = {}
        for name in reversed(runs) if backwards else list(runs):
            rates[name] = await runs[name]
        measured = self.found[case.name]
        measured.to_echo.append(rates[case.name] / rates["echo"])
        if case.is_checkin:
            measured.to_bound.append(rates[case.name] / rates["bound, a check-in"])
        if case.beside is not None:
            other = self.found[case.beside[0]].loads[-1].rate
            measured.to_case.append(rates[case.name] / other)

    async def run(self, case: Case, *, name: str = "", rate: float = 0) -> float:
        """Run a case as fast as it goes, or at a rate; return its rate."""
        requests = await self._requests(case, case.name)
        before = self._service.cpu_seconds()
        load = await self._load(self._service.url, requests, case.once, case.name, rate)
        after = self._service.cpu_seconds()
        measured = self.found.setdefault(name or case.name, Measured(case.wanted, case.beside))
        measured.loads.append(load)
        cost = {part: 1000 * (after[part] - before[part]) / load.requests for part in after}
        measured.costs.append(cost)
        return load.rate

    async def _run_echo(self) -> float:
        load = await self._load(self._echo, [ECHO], once=False, name="echo")
        self.found["echo"].loads.append(load)
        return load.rate

    async def _run_bound(self, check_in: Case) -> float:
        requests = await self._requests(check_in, "bound")
        load = await self._load(self._bound, requests, once=True, name="bound")
        self.found["bound, a check-in"].loads.append(load)
        return load.rate

    async def _requests(self, case: Case, name: str) -> list[Request]:
        rate = SPARE * self._peaks[name] if name in self._peaks else PREPARED_RATE
        return await case.requests(int(rate * self._seconds))

    async def _load(
        self, url: str, requests: list[Request], once: bool, name: str, rate: float = 0
    ) -> Load:
        seconds = self._seconds
        load = await asyncio.to_thread(wrk, url, requests, seconds, once=once, rate=rate)
        assert not once or load.requests < len(requests), f"{name}: ran out of requests"
        if not rate:
            self._peaks[name] = max(load.rate, self._peaks.get(name, 0))
        return load


async def measure(
    one: Service, echo: str, bound_url: str, options: Namespace
) -> dict[str, Measured]:
    """Run every case so many rounds, then those of ``CALM`` at lower rates."""
    async with open_runtime(one.settings) as runtime:
        bench = Bench(runtime, one)
        await bench.prepare()
        rounds = Rounds(one, echo, bound_url, options.seconds)
        [check_in] = [case for case in bench.cases() if case.name == CHECK_IN]
        chosen = [case for case in bench.cases() if options.only in case.name]
        names = {case.name for case in chosen}
        names |= {case.beside[0] for case in chosen if case.beside is not None}
        cases = [case for case in bench.cases() if case.name in names]
        for number in range(options.rounds):
            for case in cases:
                await rounds.pair(case, check_in, backwards=number % 2 == 1)
        for case in cases:
            if case.name in CALM:
                peak, part = rounds.found[case.name].rate, f"{CALM_PART:.0%} of its peak"
                await rounds.run(case, name=f"{case.name}, at {part}", rate=CALM_PART * peak)
                await rounds.run(case, name=f"{case.name}, idle", rate=IDLE_RATE)
        return rounds.found


@contextmanager
def _echo() -> Iterator[str]:
    """Run the echo under the same server with as many workers."""
    command = [
        *(sys.executable, "-m", "uvicorn", "bench.echo:app", "--port", str(ECHO_PORT)),
        *("--workers", str(WORKERS), "--no-access-log", "--log-level", "warning"),
    ]
    url = f"http://127.0.0.1:{ECHO_PORT}"
    with (
        TemporaryDirectory() as name,
        running(command, {}, Path(name) / "echo.log", f"{url}/echo/x"),
    ):
        yield url


def show(found: dict[str, Measured]) -> None:
    table = Table()
    columns = ("requests/s", "p50 ms", "p99 ms", "to the echo", "wanted", "to the bound")
    table.add_column("case")
    for column in (*columns, "refused", "broken", *PARTS):
        table.add_column(column, justify="right")
    for name, one in found.items():
        if one.loads:
            table.add_row(
                name,
                f"{one.rate:,.0f}",
                f"{median(load.p50 for load in one.loads):.1f}",
                f"{median(load.p99 for load in one.loads):.1f}",
                _spread(one.to_echo),
                str(one.wanted or ""),
                _spread(one.to_bound),
                str(sum(load.refused for load in one.loads)),
                str(sum(load.broken for load in one.loads)),
                *(_milliseconds(one.costs, part) for part in PARTS),
            )
    Console(width=160).print(table)


def show_beside(found: dict[str, Measured]) -> None:
    """Print the ratios of cases to other cases."""
    for name, one in found.items():
        if one.beside is not None and one.to_case:
            other, wanted = one.beside
            print(f"{name} to {other}: {_spread(one.to_case)}, {wanted} wanted")


def _spread(ratios: list[float]) -> str:
    if not ratios:
        return ""
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _milliseconds(costs: list[dict[str, float]], part: str) -> str:
    return f"{median(cost[part] for cost in costs):.3f}" if costs else ""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a case's name")
    options = parser.parse_args()
    require_wrk()
    with ExitStack() as stack:
        one = stack.enter_context(service(PORT))
        urls = stack.enter_context(_echo()), stack.enter_context(bound(one, BOUND_PORT))
        found = asyncio.run(measure(one, *urls, options))
    show(found)
    show_beside(found)


if __name__ == "__main__":
    main()
