"""`python -m bench.http`: what the service answers a second, in parts of a bare FastAPI echo.

Everything runs on this machine at the same time: the load generator, two workers of the
service, the job worker, PostgreSQL and Valkey. Rounds are interleaved, so that a slow
minute of the machine strikes the echo and the service alike; a ratio is that of medians.
"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx
from rich.console import Console
from rich.table import Table

from app.core.clock import now
from app.core.rotating_codes import Action
from app.models.activities import Activity
from app.runtime import Runtime, open_runtime
from bench.crowd import Crowd, Resident
from bench.service import PARTS, WORKERS, Service, running, service
from bench.wrk import Load, Request, require_wrk, wrk

PORT, ECHO_PORT = 8471, 8472
# How many requests a second are prepared at most: more than this machine can answer.
PREPARED_RATE = 4_000
# Whose latency is looked at, at which part of the peak rate.
CALM = ("check-in, one hot activity", "GET activity")
CALM_PART = 0.7
API = "/api/v1"
READERS = 400


@dataclass(frozen=True)
class Measured:
    """``cost``: milliseconds of a core for each request, by part of the service."""

    load: Load
    cost: dict[str, float]
    allowed: float | None = None


@dataclass(frozen=True)
class Case:
    """``allowed``: the least ratio to the echo. ``once``: no request may be sent twice."""

    name: str
    allowed: float | None
    requests: Callable[[int], Awaitable[list[Request]]]
    once: bool = False


class Bench:
    """The cases, on one running service."""

    def __init__(self, runtime: Runtime, one: Service) -> None:
        self._runtime = runtime
        self._crowd = Crowd(runtime)
        self._service = one

    async def prepare(self) -> None:
        """Make what the reading cases look at."""
        self._readers = await self._crowd.residents(READERS)
        self._places = await self._crowd.activities(20, self._readers[0], rule="activity_checkin")
        for _ in range(30):
            await self._crowd.give_points(self._readers, 3)
        self._staff = await self._crowd.staff(merchants=20, each=20)
        org = await self._crowd.org()
        self._board = f"/leaderboards?org_id={org.id}&period=month&limit=20"

    def cases(self) -> list[Case]:
        return [
            Case("check-in, one hot activity", 0.35, lambda n: self._checkins(n, 1), once=True),
            Case("check-in, 100 activities", 0.35, lambda n: self._checkins(n, 100), once=True),
            Case(
                "check-in with hours of service",
                None,
                lambda n: self._checkins(n, 1, "volunteer_hour"),
                once=True,
            ),
            Case("sign-up, a rush for 500 places", 0.35, self._signups, once=True),
            Case("a merchant's charge", 0.25, self._charges, once=True),
            Case("GET passbook", 0.5, self._reads("/me/points/entries")),
            Case("GET activity", 0.5, self._reads(self._activity_path())),
            Case("GET leaderboard", 0.5, self._reads(self._board)),
            Case("GET passbook, ETag matches", 0.8, self._reads("/me/points/entries", known=True)),
            Case("GET activity, ETag matches", 0.8, self._reads(self._activity_path(), known=True)),
            Case("GET leaderboard, ETag matches", 0.8, self._reads(self._board, known=True)),
        ]

    async def _checkins(
        self, number: int, places: int, rule: str = "activity_checkin"
    ) -> list[Request]:
        people = await self._crowd.residents(number)
        activities = await self._crowd.activities(places, people[0], rule=rule)
        await self._crowd.sign_up(people, activities)
        codes = [self._code(activity) for activity in activities]
        return [
            Request("POST", f"{API}/checkins", one.token, body=f'{{"code":"{code}"}}')
            for one, code in zip(people, cycle(codes), strict=False)
        ]

    def _code(self, activity: Activity) -> str:
        # The newest that is accepted, so that it lives until the run is over.
        return self._runtime.codes.make(Action.check_in, activity.serial, now().timestamp()).text

    async def _signups(self, number: int) -> list[Request]:
        people = await self._crowd.residents(number)
        (activity,) = await self._crowd.activities(
            1, people[0], rule="activity_checkin", capacity=500
        )
        path = f"{API}/activities/{activity.id}/signups"
        return [Request("POST", path, one.token, body="{}") for one in people]

    async def _charges(self, number: int) -> list[Request]:
        people = await self._crowd.residents(number)
        await self._crowd.give_points(people, 10)
        codes = await self._crowd.card_codes(people)
        return [
            Request(
                "POST",
                f"{API}/merchant/charges",
                staff.token,
                key=str(uuid4()),
                body=f'{{"card_code":"{code}","points":3,"note":"咖啡"}}',
            )
            for code, staff in zip(codes, cycle(self._staff), strict=False)
        ]

    def _activity_path(self) -> str:
        return f"/activities/{self._places[0].id}"

    def _reads(
        self, path: str, *, known: bool = False
    ) -> Callable[[int], Awaitable[list[Request]]]:
        async def requests(_: int) -> list[Request]:
            with httpx.Client(base_url=self._service.url + API) as client:
                return [
                    Request(
                        "GET",
                        API + path,
                        one.token,
                        etag=_etag(client, path, one) if known else "",
                    )
                    for one in self._readers
                ]

        return requests


def _etag(client: httpx.Client, path: str, reader: Resident) -> str:
    reply = client.get(path, headers={"Authorization": f"Bearer {reader.token}"})
    assert reply.status_code == 200, reply.text
    return reply.headers["etag"]


def echo_requests() -> dict[str, list[Request]]:
    body = '{"code":"' + "A" * 32 + '"}'
    return {
        "echo POST": [Request("POST", "/echo", "x" * 400, body=body)],
        "echo GET": [Request("GET", "/echo/" + "A" * 32, "x" * 400)],
    }


async def measure(options: Namespace) -> dict[str, list[Measured]]:
    """Run every case so many rounds."""
    found: dict[str, list[Measured]] = {}
    with service(PORT) as one, _echo() as url:
        async with AsyncExitStack() as stack:
            runtime = await stack.enter_async_context(open_runtime(one.settings))
            bench = Bench(runtime, one)
            await bench.prepare()
            for _ in range(options.rounds):
                for name, requests in echo_requests().items():
                    load = await asyncio.to_thread(wrk, url, requests, options.seconds)
                    found.setdefault(name, []).append(Measured(load, {}))
                for case in bench.cases():
                    if options.only in case.name:
                        measured = await _run(case, one, options.seconds)
                        found.setdefault(case.name, []).append(measured)
            for case in bench.cases():
                if case.name in CALM and case.name in found:
                    peak = median(each.load.rate for each in found[case.name])
                    calm = await _run(case, one, options.seconds, of_peak=CALM_PART * peak)
                    found[f"{case.name}, at {CALM_PART:.0%} of its peak"] = [
                        Measured(calm.load, calm.cost)
                    ]
    return found


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


async def _run(case: Case, one: Service, seconds: int, *, of_peak: float | None = None) -> Measured:
    """Run a case as fast as it goes, or at a rate at which nobody should have to wait."""
    requests = await case.requests(PREPARED_RATE * seconds)
    before = one.cpu_seconds()
    load = await asyncio.to_thread(
        wrk,
        one.url,
        requests,
        seconds,
        once=case.once,
        rate=of_peak or 0,
    )
    after = one.cpu_seconds()
    assert not case.once or load.requests < len(requests), f"{case.name}: ran out of requests"
    cost = {part: 1000 * (after[part] - before[part]) / load.requests for part in after}
    return Measured(load, cost, case.allowed)


def show(cases: dict[str, list[Measured]]) -> None:
    table = Table()
    columns = (
        "case",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "ratio",
        "allowed",
        "refused",
        "broken",
        *PARTS,
    )
    # One echo is the measure of all: a POST with a body, validated and sent back.
    for column in columns:
        table.add_column(column, justify="left" if column == "case" else "right")
    rates = {name: median(one.load.rate for one in all_) for name, all_ in cases.items()}
    for name, rounds in cases.items():
        loads = [one.load for one in rounds]
        cost = [f"{median(one.cost.get(part, 0) for one in rounds):.2f}" for part in PARTS]
        table.add_row(
            name,
            f"{rates[name]:,.0f}",
            f"{median(load.p50 for load in loads):.1f}",
            f"{median(load.p99 for load in loads):.1f}",
            f"{rates[name] / rates['echo POST']:.2f}",
            str(rounds[0].allowed or ""),
            str(sum(load.refused for load in loads)),
            str(sum(load.broken for load in loads)),
            *cost,
        )
    Console(width=140).print(table)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--only", default="", help="part of a case's name")
    options = parser.parse_args()
    require_wrk()
    show(asyncio.run(measure(options)))


if __name__ == "__main__":
    main()
