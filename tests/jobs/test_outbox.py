"""The relay: each message once, failures later, in company or alone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.core.clock import now
from app.core.db import Session
from app.jobs import outbox as relay_module
from app.jobs.outbox import relay
from app.models.outbox import OutboxMessage
from app.queries import outbox
from app.runtime import Runtime
from app.services.leaderboards import feeding
from tests.conftest import ScratchFactory
from tests.factories.people import make_person

handled: Counter[str] = Counter()
failing: set[str] = set()


async def handle(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    name = message.payload["name"]
    handled[name] += 1
    await asyncio.sleep(0)
    await tx.execute(text("INSERT INTO outbox (topic, payload) VALUES ('trace', '{}')"))
    if name in failing:
        raise ValueError("not today")


@pytest.fixture(scope="module")
async def runtime(engines_and_template: Any, worker_number: int) -> AsyncIterator[Runtime]:
    """A database of our own: the relay takes whatever is due."""
    async with ScratchFactory(engines_and_template, worker_number)() as application:
        yield application.state.runtime


@pytest.fixture
def _handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(relay_module.HANDLERS, "test", handle)


async def put(runtime: Runtime, *names: str, topic: str = "test") -> None:
    async with runtime.database.transaction() as tx:
        await outbox.put(tx, topic, *({"name": name} for name in names))


async def row(runtime: Runtime, name: str) -> Any:
    query = text("""
        SELECT attempts, handled_at, extract(epoch FROM due_at - now()) AS wait
        FROM outbox WHERE payload ->> 'name' = :name""")
    async with runtime.database.read() as tx:
        return (await tx.execute(query, {"name": name})).one()


async def traces(runtime: Runtime) -> int:
    """Count what handlers wrote, and forget it: nobody handles that topic."""
    async with runtime.database.transaction() as tx:
        done = await tx.execute(text("DELETE FROM outbox WHERE topic = 'trace'"))
        return int(done.rowcount)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_handler")
async def test_a_message_is_handled_once(runtime: Runtime) -> None:
    name = str(uuid4())
    await put(runtime, name)
    await relay(runtime)
    await traces(runtime)
    await relay(runtime)
    assert handled[name] == 1
    assert (await row(runtime, name)).handled_at is not None


@pytest.mark.usefixtures("_handler")
async def test_a_failure_waits_twice_as_long_each_time(runtime: Runtime) -> None:
    name = str(uuid4())
    failing.add(name)
    await put(runtime, name)
    waits = []
    for _ in range(5):
        await relay(runtime)
        waits.append(float((await row(runtime, name)).wait))
        await make_due(runtime, name)
    assert waits == pytest.approx([1, 2, 4, 8, 16], abs=0.8)
    assert (await row(runtime, name)).handled_at is None
    failing.discard(name)
    await relay(runtime)
    assert (await row(runtime, name)).handled_at is not None
    await traces(runtime)


async def test_the_last_of_several_messages_rebuilds_the_boards(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilt: list[int] = []

    async def rebuild(*_: Any) -> None:
        rebuilt.append(1)

    monkeypatch.setattr(feeding, "rebuild", rebuild)
    await put(runtime, "first", "second", topic="leaderboards.rebuild")
    await relay(runtime)
    assert len(rebuilt) == 1

    await put(runtime, "third", "fourth", topic="leaderboards.rebuild")
    async with runtime.database.transaction() as elsewhere:
        held = "SELECT id FROM outbox WHERE payload ->> 'name' = 'fourth' FOR UPDATE"
        await elsewhere.execute(text(held))
        await relay(runtime)
    assert len(rebuilt) == 2, "the one that is handled elsewhere may have begun too early"


async def make_due(runtime: Runtime, name: str) -> None:
    statement = text("UPDATE outbox SET due_at = now() WHERE payload ->> 'name' = :name")
    async with runtime.database.transaction() as tx:
        await tx.execute(statement, {"name": name})


@pytest.mark.usefixtures("_handler")
async def test_a_message_for_later_waits_for_its_time(runtime: Runtime) -> None:
    later, soon = str(uuid4()), str(uuid4())
    async with runtime.database.transaction() as tx:
        await outbox.put(tx, "test", {"name": later}, due_at=now() + timedelta(hours=1))
    await put(runtime, soon)

    await relay(runtime)
    assert (handled[later], handled[soon]) == (0, 1)
    assert float((await row(runtime, later)).wait) == pytest.approx(3600, abs=60)

    await make_due(runtime, later)
    await relay(runtime)
    assert handled[later] == 1
    await traces(runtime)


@pytest.mark.usefixtures("_handler")
async def test_a_failure_leaves_nothing_of_its_work_and_stops_nobody(runtime: Runtime) -> None:
    bad, good = str(uuid4()), str(uuid4())
    failing.add(bad)
    await traces(runtime)
    await put(runtime, bad, good)
    await relay(runtime)
    assert (handled[bad], handled[good]) == (1, 1)
    assert await traces(runtime) == 1, "the good one's"


@pytest.mark.usefixtures("_handler")
async def test_no_wait_is_longer_than_an_hour(runtime: Runtime) -> None:
    name = str(uuid4())
    failing.add(name)
    await put(runtime, name)
    async with runtime.database.transaction() as tx:
        await tx.execute(
            text("UPDATE outbox SET attempts = 500 WHERE payload ->> 'name' = :name"),
            {"name": name},
        )
    await relay(runtime)
    assert float((await row(runtime, name)).wait) == pytest.approx(3600, abs=5)


@pytest.mark.usefixtures("_handler")
async def test_two_relays_share_the_queue(runtime: Runtime) -> None:
    names = [str(uuid4()) for _ in range(30)]
    await put(runtime, *names)
    await asyncio.gather(*(relay(runtime) for _ in range(3)))
    assert {name: handled[name] for name in names} == dict.fromkeys(names, 1)
    await traces(runtime)


async def test_an_unknown_topic_waits_and_hinders_nobody(runtime: Runtime) -> None:
    person, name = await make_person(runtime), str(uuid4())
    await put(runtime, name, topic=f"unknown.{name}")
    async with runtime.database.transaction() as tx:
        payload = {"person_id": str(person.id), "text": "候补成功"}
        await outbox.put(tx, "notices.promoted", payload)
    await relay(runtime)
    async with runtime.database.read() as tx:
        query = text("SELECT kind, text FROM notices WHERE person_id = :person")
        notices = (await tx.execute(query, {"person": person.id})).all()
    assert [tuple(one) for one in notices] == [("promoted", "候补成功")]
    assert (await row(runtime, name)).attempts == 1


async def test_notices_are_delivered_in_lists_and_in_order(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a list is full, and where one is bad: the others of its list are told."""
    monkeypatch.setattr(relay_module, "BATCH", 3)
    person = await make_person(runtime)
    good = [{"person_id": str(person.id), "text": str(number)} for number in range(7)]
    bad = {"person_id": str(uuid4()), "text": "x"}
    async with runtime.database.transaction() as tx:
        await outbox.put(tx, "notices.promoted", *good[:4], bad, *good[4:])
    try:
        await relay(runtime)
    finally:
        async with runtime.database.transaction() as tx:
            await tx.execute(text("DELETE FROM outbox WHERE handled_at IS NULL"))
    async with runtime.database.read() as tx:
        query = text("SELECT text FROM notices WHERE person_id = :person ORDER BY id")
        told = (await tx.execute(query, {"person": person.id})).scalars()
        assert list(told) == [str(number) for number in range(7)]


@pytest.mark.usefixtures("_handler")
async def test_other_messages_have_their_turn_between_lists_of_notices(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BATCH", 1)
    person, name = await make_person(runtime), str(uuid4())
    await put(runtime, name)
    async with runtime.database.transaction() as tx:
        notice = {"person_id": str(person.id), "text": "候补成功"}
        await outbox.put(tx, "notices.promoted", *[notice] * 20)
    delivered: list[int] = []
    real = relay_module._relay_notices

    async def counted(runtime: Runtime) -> int:
        delivered.append(handled[name])
        return await real(runtime)

    monkeypatch.setattr(relay_module, "_relay_notices", counted)
    await relay(runtime)
    await traces(runtime)
    assert delivered.index(1) < 20, "before the last list"


async def test_a_message_for_nobody_waits_and_hinders_nobody(runtime: Runtime) -> None:
    """A notice for a person who is gone breaks a foreign key: the next one must still go out."""
    person, name = await make_person(runtime), str(uuid4())
    async with runtime.database.transaction() as tx:
        lost = {"person_id": str(uuid4()), "text": "x", "name": name}
        found = {"person_id": str(person.id), "text": "y"}
        await outbox.put(tx, "notices.promoted", lost, found)
    try:
        await relay(runtime)
        assert (await row(runtime, name)).attempts == 1
    finally:
        async with runtime.database.transaction() as tx:
            await tx.execute(text("DELETE FROM outbox WHERE handled_at IS NULL"))
