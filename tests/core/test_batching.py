"""Natural batching: who comes together shares a list, and only a poisoned command fails."""

import asyncio

import pytest

from app.core import batching
from app.core.batching import Batcher
from app.core.errors import Busy


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
