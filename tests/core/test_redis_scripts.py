"""Scripts and keys in a Cluster: the keys of a call are in one slot."""

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

import app
from app.core.distinct import DistinctQuota
from app.core.ids import new_id
from app.core.ratelimit import Limit, RateLimiter
from app.core.redis import Breaker
from app.core.redis_scripts import TAGS, Script
from app.core.revocations import Revocations
from app.core.tickets import Tickets
from app.integrations.leaderboards import START, Boards, Gains
from app.runtime import Runtime

LIMIT = Limit("slots", burst=5, per_second=1)
# Methods of redis-py by which a script, or a transaction, could go past ``Script``.
SCRIPTING = {"eval", "evalsha", "eval_ro", "evalsha_ro", "register_script", "script_load", "fcall"}


def every_script() -> dict[int, Script]:
    found: dict[int, Script] = {}
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith("__main__"):
            values = vars(importlib.import_module(module.name)).values()
            found |= {id(one): one for one in values if isinstance(one, Script)}
    return found


async def every_command(runtime: Runtime) -> None:
    """Let each script run with as many different keys as one call may have."""
    breaker = Breaker(runtime.redis)
    limiter = RateLimiter(runtime.redis, breaker, enabled=True)
    bar = Revocations.bar(new_id())
    await limiter.take(LIMIT, "one", bar=bar)
    await limiter.check(LIMIT, "another")
    await limiter.charge(LIMIT, "a third")
    gains: Gains = {(f"/{n}/:all:2020-01-01",): {str(uuid4()): n} for n in range(1, 4)}
    boards = Boards(runtime.redis, breaker)
    await boards.apply("1-slots", START, (1, new_id()), gains)
    phones = DistinctQuota(runtime.redis, breaker, "slots", 2, 60)
    await phones.admits("one", "somebody")
    await phones.admits("another", "somebody")
    await boards.around("1-slots", "/1/:all:2020-01-01", uuid4(), 2)
    tickets = Tickets(runtime.redis, breaker)
    ticket, person = await tickets.issue("Chrome"), uuid4()
    await tickets.confirm(ticket.name, person)
    assert await tickets.take(ticket.name, ticket.secret) == person


Calls = list[tuple[Script, list[str]]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The scripts that the test lets run, with their keys."""
    made: Calls = []
    run = Script.run

    async def noted(self: Script, redis: Redis, keys: Sequence[str], args: Iterable[Any]) -> Any:
        made.append((self, list(keys)))
        return await run(self, redis, keys, args)

    monkeypatch.setattr(Script, "run", noted)
    return made


async def test_all_keys_of_each_script_are_in_one_slot(runtime: Runtime, calls: Calls) -> None:
    await every_command(runtime)
    assert {id(script) for script, _ in calls} == set(every_script()), (
        "let the new script run above"
    )
    for script, keys in calls:
        assert {key_slot(key.encode()) for key in keys} == {key_slot(script.tag.encode())}
    assert max(len(set(keys)) for _, keys in calls) > 3


async def test_control_a_key_without_the_tag_is_refused(runtime: Runtime) -> None:
    script = Script("return 1", "{qx:boards}")
    assert await script.run(runtime.redis, ["{qx:boards}:a"], []) == 1
    with pytest.raises(AssertionError, match="without the script's tag"):
        await script.run(runtime.redis, ["{qx:boards}:a", "qx:boards:b"], [])


def test_a_tag_is_one() -> None:
    for text in ("qx", "{}", "{a}{b}", "x{a}"):
        with pytest.raises(AssertionError, match="hash tag"):
            Script("return 1", text)


def test_the_tags_are_those_of_the_scripts() -> None:
    assert {one.tag for one in every_script().values()} <= TAGS


def test_nobody_runs_a_script_in_another_way() -> None:
    root = Path(app.__path__[0])
    others = [file for file in root.rglob("*.py") if file.name != "redis_scripts.py"]
    assert [
        f"{file.relative_to(root)}:{node.lineno}"
        for file in others
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in SCRIPTING
    ] == []
