"""``python -m bench.scale``: how many check-ins a second a deployment does, and what ends it.

First the parts that do not grow with machines are measured here (``chain``): how long a list holds
the account of its fund, what it costs the primary's processor, what it writes. Then deployments of
several sizes are simulated with these figures, at rising rates, until the 99th percentile of the
answers exceeds ``SLOW_S`` or a part of the requests is not answered: the knee.

A web worker is one process on one core. It reads requests one after the other; those that arrive
while a list is at the primary form its next list (docs/decisions/0014). A list locks the funds of
all its check-ins, uses a core of the primary, and unlocks them after its commit.
"""

import asyncio
import random
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import simpy
from rich.console import Console
from rich.table import Table

from app.core.batching import MAX_BATCH
from bench import chain
from bench.chain import Chain
from bench.growth import open_world
from bench.scratch import scratch_engines

SIMULATED_S, WARM_UP_S = 4.0, 0.5
SLOW_S = 0.25
ANSWERED = 0.99
FIRST_RATE, STEP, FINER = 50.0, 2.0, 3
# The busiest half hour of a year: one youth in fifty checks in at events that begin together.
BUSY_PART, BUSY_S = 0.02, 1_800
WEB_MS = 0.52  # of a core, a check-in in the web worker: docs/measurements.md, Speed
PARTS = ("web", "primary", "busiest fund")
out = Console(width=120)
Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Deployment:
    """``funds``: organisations whose events begin at the same time; ``hot``: part of the first.

    Its part of the others' share comes on top.
    """

    workers: int
    primary_cores: int
    funds: int
    hot: float


DEPLOYMENTS = (
    Deployment(2, 2, 1, 1.0),
    Deployment(8, 8, 200, 0.1),
    Deployment(8, 8, 1, 1.0),
    Deployment(32, 16, 2_000, 0.0),
    Deployment(32, 16, 2_000, 0.02),
    Deployment(32, 32, 2_000, 0.02),
    Deployment(64, 32, 2_000, 0.02),
    Deployment(32, 16, 2_000, 0.2),
)


@dataclass(frozen=True)
class Costs:
    """``web``: seconds of a core for a check-in."""

    web: float
    chain: Chain


@dataclass
class Seen:
    """What became of the requests that count.

    ``times``: seconds to the answer. ``busy``: seconds by part, of all its cores or, of the funds,
    of the busiest.
    """

    offered: int = 0
    times: list[float] = field(default_factory=list)
    busy: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))


class Simulation:
    """One deployment at one rate, from empty queues to ``SIMULATED_S``."""

    def __init__(self, deployment: Deployment, costs: Costs, rate: float, seed: int = 1) -> None:
        self._deployment, self._costs, self._rate = deployment, costs, rate
        self._random = random.Random(seed)  # noqa: S311 - a simulation
        self._env = simpy.Environment()
        self._primary = simpy.Resource(self._env, deployment.primary_cores)
        self._funds = [simpy.Resource(self._env, 1) for _ in range(deployment.funds)]
        self._stores = [simpy.Store(self._env) for _ in range(deployment.workers)]
        self._cores = [simpy.Resource(self._env, 1) for _ in range(deployment.workers)]
        self.seen = Seen()

    def run(self) -> Seen:
        self._env.process(self._arrivals())
        for store in self._stores:
            self._env.process(self._lists(store))
        self._env.run(until=SIMULATED_S)
        return self.seen

    def _arrivals(self) -> Steps:
        while True:
            yield self._env.timeout(self._random.expovariate(self._rate))
            worker = self._random.randrange(self._deployment.workers)
            self._env.process(self._request(worker, self._env.now))

    def _request(self, worker: int, arrived: float) -> Steps:
        self.seen.offered += _counts(arrived)
        with self._cores[worker].request() as core:
            yield core
            yield from self._use("web", self._costs.web)
        yield self._stores[worker].put((self._fund(), arrived))

    def _fund(self) -> int:
        if self._random.random() < self._deployment.hot:
            return 0
        return self._random.randrange(self._deployment.funds)

    def _lists(self, store: simpy.Store) -> Steps:
        """Work off what waits in a worker, one list after the other."""
        while True:
            waiting: list[tuple[int, float]] = [(yield store.get())]
            while store.items and len(waiting) < MAX_BATCH:
                waiting.append((yield store.get()))
            yield from self._commit(waiting)

    def _commit(self, waiting: list[tuple[int, float]]) -> Steps:
        """Lock the funds in one order, so that no two lists wait for each other; commit."""
        locked = self._costs.chain.locked.of(len(waiting))
        processor = self._costs.chain.processor.of(len(waiting))
        held = []
        for fund in sorted({fund for fund, _ in waiting}):
            held.append(self._funds[fund].request())
            yield held[-1]
        with self._primary.request() as core:
            yield core
            yield from self._use("primary", min(processor, locked))
        yield self._env.timeout(max(locked - processor, 0.0))  # the disk, and the way there
        if any(fund == 0 for fund, _ in waiting):
            self.seen.busy["busiest fund"] += locked
        for request in held:
            request.resource.release(request)
        self.seen.times += [self._env.now - at for _, at in waiting if _counts(at)]

    def _use(self, part: str, seconds: float) -> Steps:
        yield self._env.timeout(seconds)
        self.seen.busy[part] += seconds


def _counts(arrived: float) -> bool:
    """Leave out what met the empty queues of the beginning, and what the end may cut off."""
    return WARM_UP_S < arrived < SIMULATED_S - SLOW_S


@dataclass(frozen=True)
class Knee:
    """The highest rate that was kept, in check-ins a second, and how busy each part then was."""

    rate: float
    p99: float
    busy: dict[str, float]

    @property
    def full(self) -> str:
        return max(self.busy, key=lambda part: self.busy[part])


def knee(deployment: Deployment, costs: Costs) -> Knee:
    """Double the rate until the deployment does not keep up, then halve the interval."""
    kept, rate = Knee(0.0, 0.0, dict.fromkeys(PARTS, 0.0)), FIRST_RATE
    while (found := _kept(deployment, costs, rate)) is not None:
        kept, rate = found, rate * STEP
    for _ in range(FINER):
        middle = (kept.rate + rate) / 2
        found = _kept(deployment, costs, middle)
        kept, rate = (found, rate) if found else (kept, middle)
    return kept


def _kept(deployment: Deployment, costs: Costs, rate: float) -> Knee | None:
    seen = Simulation(deployment, costs, rate).run()
    if len(seen.times) < ANSWERED * seen.offered:
        return None
    p99 = quantiles(seen.times, n=100)[-1]
    cores = {"web": deployment.workers, "primary": deployment.primary_cores, "busiest fund": 1}
    busy = {part: seen.busy[part] / (cores[part] * SIMULATED_S) for part in PARTS}
    return Knee(rate, p99, busy) if p99 <= SLOW_S else None


def report(costs: Costs) -> None:
    lines = costs.chain
    out.print(
        f"a list holds its fund for {lines.locked.fixed * 1000:.2f} ms and"
        f" {lines.locked.each * 1000:.3f} ms a check-in; it takes"
        f" {lines.processor.fixed * 1000:.2f} + {lines.processor.each * 1000:.3f} ms of a core of"
        f" the primary and writes {lines.wal.fixed:.0f} + {lines.wal.each:.0f} bytes of WAL;"
        f" the web worker takes {costs.web * 1000:.2f} ms a check-in"
    )
    heads = ("web cores", "cores", "funds", "in one", "/s", "p99 ms", *PARTS, "full", "youths")
    table = Table(*heads)
    for deployment in DEPLOYMENTS:
        found = knee(deployment, costs)
        table.add_row(
            *map(str, (deployment.workers, deployment.primary_cores, deployment.funds)),
            f"{deployment.hot:.0%}",
            f"{found.rate:,.0f}",
            f"{found.p99 * 1000:.0f}",
            *(f"{found.busy[part]:.0%}" for part in PARTS),
            found.full,
            f"{found.rate * BUSY_S / BUSY_PART / 1e6:.0f} million",
        )
    out.print(table)


async def measured() -> Chain:
    """Measure on engines of this run."""
    with scratch_engines() as (_, found):
        async with AsyncExitStack() as stack:
            return await chain.measure(await open_world(stack, found, "chain", 0))


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--web-ms", type=float, default=WEB_MS)
    options: Namespace = parser.parse_args()
    report(Costs(options.web_ms / 1000, asyncio.run(measured())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
