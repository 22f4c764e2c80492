"""Another Redis takes over while people check in and others guess: what must hold."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Any

from app.api.guesses import LOGIN_GUESS
from tests.faults.boards import boards_exact
from tests.faults.load import Ask, Load
from tests.faults.measured import Measured
from tests.faults.stage import API, Stage, replied
from tests.faults.waiting import eventually

RATE = 40.0  # check-ins and reads a second, far below what the service can
GUESSES_A_SECOND = 20.0
BEFORE, AFTER_S = 80, 6.0  # replies before the strike, seconds after it
OF_EACH_KIND = 400
RIGHT_S = 10.0
WRONG_LOGIN = Ask("POST", f"{API}/auth/wechat", body='{"code":"a-wrong-code"}')
TRIED, LIMITED, DOWN = 401, 429, 503


@dataclass(frozen=True)
class Takeover:
    """One strike: who checked in, who guessed, how long until all was right again."""

    people: Load
    guesses: Load
    struck_at: float
    exact_after: float

    @property
    def limited_after(self) -> float:
        """Seconds until the last guess that was refused for want of Redis."""
        down = [each.ended for each in self.guesses.attempts if each.status == DOWN]
        return max([self.struck_at, *down]) - self.struck_at

    @property
    def most(self) -> float:
        """How many guesses may get through if a takeover forgives a burst."""
        seconds = self.guesses.attempts[-1].ended - self.guesses.attempts[0].due
        return 2 * LOGIN_GUESS.burst + LOGIN_GUESS.per_second * seconds


async def struck(one: Stage, strike: Callable[[], Awaitable[Any]]) -> Takeover:
    """Let people check in and others guess, strike, and go on until the boards are exact.

    What is measured begins when the strike returns.
    """
    people, guesses = await a_crowd(one), guessers(one)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for each in (people, guesses):
            group.create_task(each.run())
        await replied(people, BEFORE)
        await strike()
        struck_at = time.monotonic()
        await asyncio.sleep(AFTER_S)
        people.stopped = guesses.stopped = True
    await eventually(lambda: boards_exact(one), 30)
    return Takeover(people, guesses, struck_at, time.monotonic() - struck_at)


async def assert_right_again(
    one: Stage, measured: Measured, name: str, fault: str, found: Takeover
) -> None:
    """Nothing of the ledger was touched; limits and boards are right within RIGHT_S."""
    measured(name, f"{fault}: limits shared again", f"{found.limited_after:.1f} s")
    measured(
        name, f"{fault}: boards exact, in a window of {AFTER_S} s", f"{found.exact_after:.1f} s"
    )
    assert set(found.people.statuses) <= {200, 201}, found.people.statuses
    scans = [(ask, reply) for ask, reply in found.people.good if ask.path.endswith("/checkins")]
    assert scans
    assert await one.lost_checkins(scans) == 0
    assert await one.awarded_twice([ask for ask, _ in scans]) == 0
    assert await one.ledger_differences() == []
    assert set(found.guesses.statuses) <= {TRIED, LIMITED, DOWN}, found.guesses.statuses
    assert found.guesses.statuses[TRIED] <= found.most
    assert found.guesses.attempts[-1].status in {TRIED, LIMITED}, "Redis is of use again"
    assert found.limited_after <= RIGHT_S
    assert found.exact_after <= RIGHT_S


async def statuses_after(one: Stage, port: int, strike: Callable[[], Awaitable[Any]]) -> set[int]:
    """Guess at another process of the stage, and strike; return what it answers afterwards.

    In the three seconds after the stage's own process has Redis again.
    """
    guesses = guessers(one, port)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(guesses.run())
        await asyncio.sleep(2)
        assert DOWN not in guesses.statuses
        await strike()
        await eventually(one.redis_answers, 30)
        moment = time.monotonic()
        await asyncio.sleep(3)
        guesses.stopped = True
    return {each.status for each in guesses.between(moment, time.monotonic())}


async def a_crowd(one: Stage) -> Load:
    scans, reads = await one.checkins(OF_EACH_KIND), await one.reads(OF_EACH_KIND)
    asks = chain.from_iterable(zip(scans, reads, strict=True))
    return one.load(asks, connections=16, rate=RATE)


def guessers(one: Stage, port: int | None = None) -> Load:
    port = port or one.service.port
    return Load(port, cycle([WRONG_LOGIN]), connections=4, rate=GUESSES_A_SECOND, insist=False)
