"""F4: Redis is killed, frozen and flushed while people use the service."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median

import psutil
import pytest
import redis

from app.api.guesses import CHECKIN_GUESS, LOGIN_GUESS
from tests.faults.boards import boards_exact
from tests.faults.flaws import flawed
from tests.faults.load import Ask, Load, p99
from tests.faults.measured import Measured
from tests.faults.stage import API, Stage, replied, stage
from tests.faults.valkey import answers
from tests.faults.victims import frozen, kill, valkey_of
from tests.faults.waiting import eventually, until

pytestmark = pytest.mark.faults

RATE = 100.0  # requests a second, far below what the service can
WINDOW_S = 4.0
ROUNDS = 3  # the median of three, as a stall of the machine spoils one
GUESSES_A_SECOND = 20.0
ADDED_MS = 100.0
EXACT_S = 10.0
OF_EACH_KIND = 1_000
# What a window may still hold of a question that was asked before it.
EDGE_S = 0.5


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


@dataclass
class Windows:
    """Spans of the monotonic clock by name; those without a fault stand between the others."""

    spans: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.spans[name].append((began, time.monotonic()))

    def p99(self, load: Load, name: str) -> float:
        """Return the median of what the windows of this name measured."""
        return median(
            p99(one for one in load.attempts if a <= one.due < b) for a, b in self.spans[name]
        )


async def test_redis_is_lost_in_every_way(one: Stage, measured: Measured) -> None:
    asks = await one.checkins(OF_EACH_KIND) + await one.reads(OF_EACH_KIND)
    (spare,) = await one.checkins(1)  # right codes of who guesses are refused too
    load = one.load(cycle(asks), rate=RATE)
    logins, forgeries = guesses(one, cycle([wrong_login()])), guesses(one, cycle([forged(spare)]))
    windows = Windows()
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for each in (load, logins, forgeries):
            group.create_task(each.run())
        await replied(load, 4 * int(RATE))  # caches are warm
        for fault in ROUNDS * (killed, silent, flushed):
            with windows("nothing"):
                await asyncio.sleep(WINDOW_S)
            with windows(fault.__name__):
                await fault(one)
        flush(one)
        flushed_at = time.monotonic()
        for each in (load, logins, forgeries):
            each.stopped = True
    await eventually(lambda: boards_exact(one), 60)
    exact_after = time.monotonic() - flushed_at
    base = windows.p99(load, "nothing")
    added = {way: windows.p99(load, way) - base for way in ("killed", "silent", "flushed")}
    for way, more in added.items():
        measured("F4", f"{way}: added p99 (base {base:.0f} ms)", f"{more:.0f} ms")
    measured("F4", "boards exact after a flush", f"{exact_after:.1f} s")
    assert set(load.statuses) <= {200, 201}, load.statuses
    assert_limited(measured, "login", logins, 401, LOGIN_GUESS.burst, LOGIN_GUESS.per_second)
    assert_limited(measured, "code", forgeries, 422, CHECKIN_GUESS.burst, CHECKIN_GUESS.per_second)
    for guess in (logins, forgeries):
        assert [let_through(guess, span) for span in windows.spans["silent"]] == [0] * ROUNDS
    first = dict(reversed(load.good))
    scans = [(ask, reply) for ask, reply in first.items() if ask.path.endswith("/checkins")]
    assert await one.lost_checkins(scans) == 0
    assert await one.ledger_differences() == []
    assert exact_after <= EXACT_S
    assert max(added.values()) <= ADDED_MS


async def test_control_without_time_outs_everybody_waits(one: Stage, measured: Measured) -> None:
    asks = await one.reads(50)
    with flawed(one.service, "patient_with_redis") as patient:
        load = Load(patient.port, cycle(asks), connections=8)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await replied(load, 50)
            with frozen(valkey_of(one.data_dir)):
                began = time.monotonic()
                await asyncio.sleep(3)
            await replied(load, len(load.kept) + 50)
            load.stopped = True
    slowest = 1000 * max(each.seconds for each in load.attempts if each.ended >= began)
    measured("F4", "control: slowest without time-outs", f"{slowest:.0f} ms")
    assert slowest > 10 * ADDED_MS


async def test_control_fail_open_lets_guesses_through(one: Stage, measured: Measured) -> None:
    (scan,) = await one.checkins(1)
    with flawed(one.service, "open_without_redis") as careless:
        load = Load(careless.port, cycle([forged(scan)]), connections=2, insist=False, rate=40)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await replied(load, 1)
            with frozen(valkey_of(one.data_dir)):
                span = (time.monotonic(), time.monotonic() + 3)
                await asyncio.sleep(3)
            load.stopped = True
    measured("F4", "control: codes let through when open", let_through(load, span))
    assert let_through(load, span) > CHECKIN_GUESS.burst


async def killed(one: Stage) -> None:
    await asyncio.to_thread(kill_redis, one)
    await asyncio.sleep(WINDOW_S)


async def silent(one: Stage) -> None:
    with frozen(valkey_of(one.data_dir)):
        await asyncio.sleep(WINDOW_S)


async def flushed(one: Stage) -> None:
    flush(one)
    await asyncio.sleep(WINDOW_S)


def wrong_login() -> Ask:
    return Ask("POST", f"{API}/auth/wechat", body='{"code":"a-wrong-code"}')


def forged(scan: Ask) -> Ask:
    return Ask("POST", f"{API}/checkins", token=scan.token, body=f'{{"code":"{"A" * 32}"}}')


def guesses(one: Stage, asks: Iterator[Ask]) -> Load:
    return one.load(asks, connections=4, rate=GUESSES_A_SECOND, insist=False)


def let_through(load: Load, span: tuple[float, float]) -> int:
    """Count the guesses that were tried, not refused unseen, well inside a span."""
    inside = load.between(span[0] + EDGE_S, span[1])
    return sum(each.status in {401, 422} for each in inside)


def assert_limited(
    measured: Measured, name: str, load: Load, wrong: int, burst: int, per_second: float
) -> None:
    """Each loss of Redis forgives what was guessed before it; nothing else does."""
    losses = 2 * ROUNDS + 1  # kills and flushes, and the flush at the end
    seconds = load.attempts[-1].ended - load.attempts[0].due
    tried, most = load.statuses[wrong], (1 + losses) * burst + per_second * seconds
    assert len(load.attempts) > most, "without a limit too many would get through"
    measured("F4", f"{name} guesses made, let through", f"{len(load.attempts)}, {tried}")
    assert set(load.statuses) <= {wrong, 429, 503}
    assert load.statuses[429] > 0
    assert tried <= most


def kill_redis(one: Stage) -> None:
    """Kill it and wait until the keeper has brought it back."""
    victims = valkey_of(one.data_dir)
    kill(victims)
    psutil.wait_procs(victims, 10)
    until(lambda: _answers(one))


def _answers(one: Stage) -> bool:
    with redis.Redis.from_url(str(one.service.settings.redis_url)) as client:
        return answers(client)


def flush(one: Stage) -> None:
    with redis.Redis.from_url(str(one.service.settings.redis_url)) as client:
        client.flushall()
