"""The boards in Redis say what the ledger says, whatever happened on the way."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.core.clock import now, period_start
from app.core.ids import new_id
from app.core.redis import Breaker, RedisDown
from app.core.redis_scripts import Script
from app.integrations import leaderboards as module
from app.integrations.leaderboards import START, Boards
from app.jobs.leaderboards import NightlyRebuild, feed
from app.models.ledger import Kind, Purpose
from app.models.orgs import Level, Org
from app.queries import leaderboards as queries
from app.queries.leaderboards import Gain, Node
from app.runtime import Runtime
from app.schemas.leaderboards import BoardPeriod, Measure
from app.services.leaderboards import feeding, rules
from app.services.ledger import posting as ledger_posting
from app.services.ledger.types import MINUTES, POINTS, AccountKey, Posted, Posting
from app.services.policies import history
from tests.conftest import ScratchFactory
from tests.factories.ledger import award_posting
from tests.factories.orgs import make_org
from tests.factories.people import make_person
from tests.faults.waiting import eventually

CHECK = "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end\n"


@pytest.fixture(scope="module")
async def runtime(engines_and_template: Any, worker_number: int) -> AsyncIterator[Runtime]:
    """A ledger and a Redis database of our own: some tests flush it."""
    async with ScratchFactory(engines_and_template, worker_number)() as application:
        yield application.state.runtime


class Town:
    """A district with two streets, some people, and a history that grows at random."""

    def __init__(self, runtime: Runtime, orgs: list[Org], people: list[UUID], seed: int) -> None:
        self.runtime, self.orgs, self.people = runtime, orgs, people
        self.rng = random.Random(seed)
        self.awards: list[Posting] = []

    async def live(self, lists: int) -> None:
        """Award and reverse, several transactions at once."""
        await asyncio.gather(*(self._one_list() for _ in range(lists)))

    async def _one_list(self) -> None:
        postings = [self._award() for _ in range(self.rng.randint(1, 6))]
        if self.awards and self.rng.random() < 0.5:
            postings.append(self._reversal(self.awards.pop()))
        async with self.runtime.database.transaction() as tx:
            outcomes = await ledger_posting.post(tx, postings, now())
        assert all(isinstance(one, Posted) for one in outcomes)
        self.awards += [one for one in postings if one.kind is Kind.award]

    def _award(self) -> Posting:
        org = self.rng.choice(self.orgs)
        posting = award_posting(self.rng.choice(self.people), self.rng.randint(1, 9))
        return replace(posting, org_id=org.id, payer=AccountKey(org.id, Purpose.fund))

    def _reversal(self, award: Posting) -> Posting:
        return replace(
            award,
            id=new_id(),
            payer=award.payee,
            payee=award.payer,
            kind=Kind.reversal,
            reference=f"reversal:{award.id}",
            closes_id=award.id,
            expires_at=None,
        )

    async def boards_are_exact(self) -> bool:
        """Compare every board with the same board in SQL."""
        generation = await self.runtime.boards.generation()
        assert generation is not None
        for org in self.orgs:
            for period in rules.PERIODS:
                since = period_start(now(), period)
                name = rules.board_name(org.path, period, since)
                (shown,), _ = await self.runtime.boards.read(generation, [(name, 100)], [])
                async with self.runtime.database.read() as tx:
                    true = await queries.top(
                        tx,
                        org.path,
                        since,
                        unit=POINTS,
                        born_until=rules.born_until(),
                        limit=100,
                    )
                if shown != true:
                    return False
        return True

    async def settle(self) -> None:
        """Feed until the boards are exact: a transaction anywhere may hold the feeder back."""

        async def fed() -> bool:
            await feed(self.runtime)
            return await self.boards_are_exact()

        await eventually(fed, 10)


@pytest.fixture(params=range(2))
async def town(runtime: Runtime, request: pytest.FixtureRequest) -> Town:
    district = await make_org(runtime, level=Level.district)
    streets = [await make_org(runtime, parent=district) for _ in range(2)]
    people = [(await make_person(runtime)).id for _ in range(6)]
    return Town(runtime, [district, *streets], people, seed=request.param)


async def test_they_follow_the_ledger(town: Town) -> None:
    for _ in range(4):
        await town.live(lists=6)
        await town.settle()


async def test_a_wrong_board_would_be_noticed(town: Town, runtime: Runtime) -> None:
    """The negative control of all comparisons here."""
    await town.live(lists=4)
    await town.settle()
    generation = await runtime.boards.generation()
    since = period_start(now(), "all")
    name = rules.board_name(town.orgs[0].path, "all", since)
    key = f"{module.PREFIX}:{generation}:{name}"
    best = await runtime.redis.zrevrange(key, 0, 0)
    await runtime.redis.zincrby(key, 1, str(best[0]))
    assert not await town.boards_are_exact()
    await feeding.rebuild(runtime.database, runtime.boards)
    await town.settle()


async def test_a_batch_that_is_replayed_counts_once(town: Town, runtime: Runtime) -> None:
    await town.live(lists=6)
    await town.settle()
    generation = await runtime.boards.generation()
    assert generation is not None
    position = await runtime.boards.position(generation)
    async with runtime.database.read() as tx:
        gains, after = await queries.gains_after(
            tx, START, born_until=rules.born_until(), limit=2000
        )
        units = rules.CountedUnits(await history.load(tx))
    assert gains
    scores = feeding.scores(gains, units, {})
    assert not await runtime.boards.apply(generation, START, after, scores)
    assert await runtime.boards.position(generation) == position
    assert await town.boards_are_exact()


@pytest.mark.parametrize("applied", [False, True])
async def test_a_feeder_that_dies_around_the_write_changes_nothing(
    town: Town, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    """Before it, or after it when the reply is lost."""
    await town.settle()
    real = runtime.boards.apply

    async def dying(*arguments: Any) -> bool:
        if applied:
            await real(*arguments)
        raise RedisDown

    await town.live(lists=6)
    monkeypatch.setattr(runtime.boards, "apply", dying)
    assert await feed(runtime) == 0
    monkeypatch.undo()
    await town.settle()


async def test_three_feeders_at_once_count_once(town: Town, runtime: Runtime) -> None:
    await town.settle()
    for _ in range(3):
        await asyncio.gather(town.live(lists=5), *(feed(runtime) for _ in range(3)))
    await asyncio.gather(*(feed(runtime) for _ in range(3)))
    await town.settle()


async def test_they_come_back_after_a_flush(town: Town, runtime: Runtime) -> None:
    await town.live(lists=6)
    await town.settle()
    await runtime.redis.flushdb()
    await town.settle()


async def test_a_rebuild_while_others_feed_is_exact(town: Town, runtime: Runtime) -> None:
    await town.live(lists=6)
    await asyncio.gather(
        feeding.rebuild(runtime.database, runtime.boards),
        feed(runtime),
        feeding.rebuild(runtime.database, runtime.boards),
        town.live(lists=4),
    )
    await town.settle()


async def test_small_batches_add_up(
    town: Town, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "BATCH", 3)
    await town.live(lists=8)
    await feeding.rebuild(runtime.database, runtime.boards)
    await town.settle()


class Faltering(Boards):
    """Boards of a Redis that goes down after three steps, each time."""

    async def apply(self, *step: Any) -> bool:
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps % 4 == 0:
            raise RedisDown
        return await super().apply(*step)


async def calls_until_shown(town: Town, boards: Boards, *, forgetful: bool) -> int | None:
    """Flush; feed until boards are shown; return how many calls it took, None if 40 are too few."""
    await town.live(lists=20)
    await town.runtime.redis.flushdb()
    for number in range(1, 41):
        with suppress(RedisDown):
            await feeding.feed(town.runtime.database, boards)
            return number
        if forgetful:
            boards.unfinished = None
    return None


async def test_a_build_goes_on_where_redis_went_down(
    town: Town, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: boards that start over each time never come to an end."""
    monkeypatch.setattr(feeding, "BATCH", 10)
    boards = Faltering(runtime.redis, Breaker(runtime.redis))
    assert await calls_until_shown(town, boards, forgetful=True) is None
    calls = await calls_until_shown(town, boards, forgetful=False)
    assert calls is not None
    assert calls > 1
    await town.settle()


async def applied_twice(boards: Boards) -> list[tuple[UUID, int]]:
    generation, person = uuid4().hex, uuid4()
    for _ in range(2):
        after = (5, UUID(int=5))
        await boards.apply(generation, START, after, {("/1/:all:2020",): {str(person): 10}})
    (top,), _ = await boards.read(generation, [("/1/:all:2020", 10)], [])
    return top


async def test_the_position_is_what_makes_a_replay_harmless(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without the check in the script a batch counts twice."""
    guarded = Boards(runtime.redis, Breaker(runtime.redis))
    assert [points for _, points in await applied_twice(guarded)] == [10]
    assert CHECK in module._APPLY.text
    careless = Script(module._APPLY.text.replace(CHECK, ""), module._APPLY.tag)
    monkeypatch.setattr(module, "_APPLY", careless)
    unguarded = Boards(runtime.redis, Breaker(runtime.redis))
    assert [points for _, points in await applied_twice(unguarded)] == [20]


async def test_the_nightly_rebuild_waits_for_the_night(
    town: Town, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.settle()
    nightly = NightlyRebuild()
    before = await runtime.boards.generation()
    assert await nightly(runtime) == 0
    assert await runtime.boards.generation() == before
    nightly._day = nightly._day.replace(year=2020)
    await nightly(runtime)
    assert await runtime.boards.generation() != before
    await town.settle()


async def test_a_night_without_redis_is_made_up_for(
    town: Town, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.settle()
    nightly = NightlyRebuild()
    nightly._day = nightly._day.replace(year=2020)
    before = await runtime.boards.generation()
    with monkeypatch.context() as without:
        without.setattr(feeding, "rebuild", _without_redis)
        assert await nightly(runtime) == 0
    await nightly(runtime)
    assert await runtime.boards.generation() != before
    await town.settle()


async def _without_redis(*_: object) -> int:
    raise RedisDown


class _Counted(rules.CountedUnits):
    """Points count at every organisation."""

    def __init__(self) -> None:
        """Need no policies."""

    def of(self, org_path: str) -> int | None:
        del org_path
        return POINTS


def test_gains_count_where_and_when_they_were_earned() -> None:
    street, other = "/32/321182/", "/32/321183/"
    sunday, monday = datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 2, 12, tzinfo=UTC)
    (a, b) = people = [uuid4(), uuid4()]
    gains = [
        Gain(1, uuid4(), person, path, unit, points, at)
        for person, path, unit, points, at in [
            (a, street, POINTS, 3, sunday),
            (a, street, POINTS, 5, monday),
            (a, street, MINUTES, 60, monday),
            (b, street, POINTS, 2, monday),
            (b, other, POINTS, 7, monday),
        ]
    ]

    counted: Counter[tuple[str, str]] = Counter()
    node = Node(uuid4(), "street")
    for boards, group in feeding.scores(gains, _Counted(), {street: node}).items():
        for board in boards:
            counted.update({(board, person): points for person, points in group.items()})

    def on(path: str, period: BoardPeriod, at: datetime, measure: Measure = "points") -> list[int]:
        name = rules.board_name(path, period, period_start(at, period), measure)
        return [counted[name, str(person)] for person in people]

    assert [on(street, "week", sunday), on(street, "week", monday)] == [[3, 0], [5, 2]]
    assert [on(street, "month", monday), on(other, "month", monday)] == [[8, 2], [0, 7]]
    assert on("/32/", "month", monday) == on(rules.WHOLE_TREE, "all", monday) == [8, 9]
    assert on(street, "week", monday, "minutes") == on("/32/", "all", monday, "minutes") == [60, 0]

    def of_street(path: str, measure: Measure) -> int:
        start = period_start(monday, "month")
        return counted[rules.org_board_name(path, "street", "month", start, measure), str(node.id)]

    assert [of_street(path, "points") for path in ("/32/", "/", street)] == [10, 10, 0]
    assert of_street("/32/", "minutes") == 60
