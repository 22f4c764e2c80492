"""Natural batching: who comes together shares a list, and only a poisoned command fails."""

import asyncio
import random
from collections import defaultdict

import pytest

from app.core import batching
from app.core.batching import Batcher
from app.core.errors import Busy, LockTimeout


class Engine:
    """Doubles numbers, a list at a time, once ``let_go`` allows; remembers the lists."""

    def __init__(self) -> None:
        self.lists: list[list[int]] = []
        self.asked, self.may_go = asyncio.Event(), asyncio.Event()
        self.may_go.set()

    async def __call__(self, numbers: list[int]) -> list[int]:
        self.lists.append(numbers)
        self.asked.set()
        await self.may_go.wait()
        if 13 in numbers:
            raise ValueError("poison")
        return [2 * number for number in numbers]


async def together(batcher: Batcher[int, int], *numbers: int) -> list[int | BaseException]:
    return await asyncio.gather(*map(batcher.submit, numbers), return_exceptions=True)


async def under_way(
    engine: Engine, batcher: Batcher[int, int], *numbers: int
) -> list[asyncio.Task[int]]:
    """Submit the first number; once its list is held in the engine, submit the others."""
    engine.may_go.clear()
    tasks = [asyncio.create_task(batcher.submit(numbers[0]))]
    await engine.asked.wait()
    tasks += [asyncio.create_task(batcher.submit(number)) for number in numbers[1:]]
    await asyncio.sleep(0)
    return tasks


async def test_one_alone_is_answered_at_once() -> None:
    engine = Engine()
    assert await Batcher(engine).submit(4) == 8
    assert engine.lists == [[4]]


async def test_who_comes_together_shares_a_list() -> None:
    engine = Engine()
    assert await together(Batcher(engine), 1, 2, 3) == [2, 4, 6]
    assert engine.lists == [[1, 2, 3]]


async def test_who_comes_meanwhile_goes_into_the_next_list() -> None:
    engine = Engine()
    batcher = Batcher(engine)
    tasks = await under_way(engine, batcher, 1, 2, 3)
    engine.may_go.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6]
    assert engine.lists == [[1], [2, 3]]


async def test_a_list_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_BATCH", 2)
    engine = Engine()
    assert await together(Batcher(engine), 1, 2, 3, 4, 5) == [2, 4, 6, 8, 10]
    assert engine.lists == [[1, 2], [3, 4], [5]]


async def test_a_full_queue_says_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_WAITING", 2)
    answers = await together(Batcher(Engine()), 1, 2, 3)
    assert answers[:2] == [2, 4]
    assert isinstance(answers[2], Busy)
    assert answers[2].retry_after


async def test_a_poisoned_command_fails_alone() -> None:
    engine = Engine()
    one, poisoned, other = await together(Batcher(engine), 1, 13, 3)
    assert [one, other] == [2, 6]
    assert isinstance(poisoned, ValueError)
    assert engine.lists == [[1, 13, 3], [1], [13], [3]]


async def test_an_engine_that_does_not_answer_is_not_asked_again_for_those_who_wait() -> None:
    engine = Engine()

    async def silent(numbers: list[int]) -> list[int]:
        await engine(numbers)
        raise Busy(retry_after=1)

    batcher = Batcher(silent)
    first, second = await under_way(engine, batcher, 1, 2)
    engine.may_go.set()
    answers = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Busy, Busy]
    assert engine.lists == [[1]]
    assert answers[0] is not answers[1], "each request renders its own"


def locking(engine: Engine) -> Batcher[int, int]:
    """Return a batcher whose lists time out where one of them holds 7, which is locked."""

    async def run(numbers: list[int]) -> list[int]:
        outcomes = await engine(numbers)
        if 7 in numbers:
            raise LockTimeout(retry_after=1)
        return outcomes

    return Batcher(run)


async def test_a_lock_that_times_out_is_the_matter_of_its_own_command() -> None:
    engine = Engine()
    batcher = locking(engine)
    tasks = await under_way(engine, batcher, 7, 2, 7, 3)
    engine.may_go.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [LockTimeout, int, LockTimeout, int]
    assert engine.lists == [[7], [2, 7, 3], [2], [7], [3]]


async def test_commands_whose_turn_does_not_come_in_time_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "ONE_BY_ONE_S", -1)
    engine = Engine()
    batcher = locking(engine)
    first, *others = await under_way(engine, batcher, 1, 2, 7, 3)
    engine.may_go.set()

    answers = await asyncio.gather(*others, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Busy, Busy, Busy]
    assert await first == 2
    assert engine.lists == [[1], [2, 7, 3]]
    assert await batcher.submit(4) == 8


async def test_who_has_waited_too_long_for_a_list_that_failed_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "MAX_BATCH", 2)
    engine = Engine()
    for patience, expected in ((60, int), (-1, Busy)):
        monkeypatch.setattr(batching, "PATIENCE_S", patience)
        *_, last = await together(locking(engine), 2, 7, 3)
        assert type(last) is expected


async def test_an_engine_that_goes_away_meanwhile_is_not_asked_for_each() -> None:
    lists: list[list[int]] = []

    async def going(numbers: list[int]) -> list[int]:
        lists.append(numbers)
        raise Busy(retry_after=1) if len(numbers) == 1 else LockTimeout(retry_after=1)

    answers = await together(Batcher(going), 1, 2, 3)

    assert [type(answer) for answer in answers] == [Busy, Busy, Busy]
    assert lists == [[1, 2, 3], [1]]


async def test_a_request_that_has_gone_does_not_disturb_its_list() -> None:
    engine = Engine()
    batcher = Batcher(engine)
    first, gone, stays = await under_way(engine, batcher, 1, 2, 3)
    gone.cancel()
    await asyncio.wait({gone})
    engine.may_go.set()
    assert [await first, await stays] == [2, 6]


async def test_closing_waits_for_the_list_under_way() -> None:
    engine = Engine()
    batcher = Batcher(engine)
    (answer,) = await under_way(engine, batcher, 1)
    closing = asyncio.create_task(batcher.close())
    await asyncio.sleep(0)
    assert not closing.done()
    engine.may_go.set()
    await closing
    assert await answer == 2


async def test_a_runner_that_is_cancelled_leaves_nobody_behind() -> None:
    engine = Engine()
    batcher = Batcher(engine)
    first, second = await under_way(engine, batcher, 1, 2)
    assert batcher._runner is not None
    batcher._runner.cancel()
    answers = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Busy, Busy]


# --- commands that share a conflict key ---


def digits(number: int) -> set[str]:
    """Return the conflict keys of a number: 12 conflicts with 1, 2, 21 and 13."""
    return set(str(number))


async def test_two_commands_with_one_key_are_never_in_one_batch() -> None:
    engine = Engine()
    assert await together(Batcher(engine, digits), 1, 11, 2, 111, 3) == [2, 22, 4, 222, 6]
    assert engine.lists == [[1, 2, 3], [11], [111]]


async def test_control_without_keys_they_are_in_one_batch() -> None:
    engine = Engine()
    await together(Batcher(engine), 1, 11, 2, 111, 3)
    assert engine.lists == [[1, 11, 2, 111, 3]]


async def test_a_command_does_not_overtake_one_that_waits_and_shares_a_key() -> None:
    engine = Engine()
    await together(Batcher(engine, digits), 1, 12, 2, 3)
    assert engine.lists == [[1, 3], [12], [2]]


async def test_a_command_that_waited_is_first_in_the_next_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "MAX_BATCH", 2)
    engine = Engine()
    await together(Batcher(engine, digits), 1, 11, 2, 3, 4, 5)
    assert engine.lists == [[1, 2], [11, 3], [4, 5]]


async def test_a_command_waits_for_those_before_it_and_for_none_that_come_later() -> None:
    engine = Engine()
    batcher = Batcher(engine, digits)
    tasks = await under_way(engine, batcher, 1, 11)
    for number in (111, 1111, 11111):  # each arrives while the batch before runs
        engine.asked.clear()
        engine.may_go.set()
        await engine.asked.wait()
        engine.may_go.clear()
        tasks.append(asyncio.create_task(batcher.submit(number)))
        await asyncio.sleep(0)
    engine.may_go.set()
    await asyncio.gather(*tasks)
    assert engine.lists == [[1], [11], [111], [1111], [11111]]


@pytest.mark.parametrize("seed", range(20))
async def test_commands_of_one_key_run_in_order_of_arrival(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "MAX_BATCH", 4)
    chance = random.Random(seed)
    numbers = chance.sample([n for n in range(1000) if n != 13], 60)
    engine = Engine()

    assert await together(Batcher(engine, digits), *numbers) == [2 * number for number in numbers]

    found = defaultdict(list)
    for batch in engine.lists:
        assert len(batch) <= 4
        assert sum(len(digits(one)) for one in batch) == len(set[str]().union(*map(digits, batch)))
        for one in batch:
            for key in digits(one):
                found[key].append(one)
    for key, in_order in found.items():
        assert in_order == [number for number in numbers if key in digits(number)]
