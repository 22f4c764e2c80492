"""`python -m bench.memory`: whether a worker grows under full load.

Ten minutes of reads, sign-ups and check-ins by turns; the first two may fill caches and
pools. What is compared is the largest resident set of any worker, each ten seconds.
"""

import asyncio
import time
from argparse import ArgumentParser, Namespace

from app.runtime import open_runtime
from bench.cases import Bench
from bench.http import PREPARED_RATE
from bench.service import Service, service
from bench.wrk import require_wrk, wrk

PORT = 8473
WARM_UP_S = 120
SLICE_S = 10
ALLOWED_GROWTH = 1.05
NAMES = ("check-in, one hot activity", "GET passbook", "sign-up, a rush for 500 places")


def largest(one: Service) -> float:
    """Return the resident set of the largest worker, in MiB."""
    return max(worker.memory_info().rss for worker in one.workers()) / 2**20


async def measure(options: Namespace) -> list[tuple[float, float]]:
    """Return (seconds since the start, MiB) after each slice of load."""
    found: list[tuple[float, float]] = []
    with service(PORT) as one:
        async with open_runtime(one.settings) as runtime:
            bench = Bench(runtime, one)
            await bench.prepare()
            cases = [case for case in bench.cases() if case.name in NAMES]
            loaded = 0.0
            while loaded < options.seconds:
                case = cases[len(found) % len(cases)]
                requests = await case.requests(PREPARED_RATE * SLICE_S)
                started = time.monotonic()
                await asyncio.to_thread(wrk, one.url, requests, SLICE_S, once=case.once)
                loaded += time.monotonic() - started
                found.append((loaded, largest(one)))
                print(f"{loaded:4.0f} s  {found[-1][1]:6.1f} MiB  after {case.name}", flush=True)
    return found


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="of load, pauses not counted")
    options = parser.parse_args()
    require_wrk()
    found = asyncio.run(measure(options))
    early = max(size for at, size in found if at <= WARM_UP_S)
    late = max(size for at, size in found if at > WARM_UP_S)
    print(f"largest worker in the first {WARM_UP_S} s: {early:.1f} MiB, afterwards: {late:.1f} MiB")
    raise SystemExit(late > early * ALLOWED_GROWTH)


if __name__ == "__main__":
    main()
