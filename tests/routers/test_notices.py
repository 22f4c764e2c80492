"""GET /me/notices: the inbox that the outbox fills."""

from secrets import randbelow
from uuid import UUID

import httpx

from app.jobs.outbox import relay
from app.queries import notices as notice_queries
from app.queries import outbox
from app.runtime import Runtime
from tests.factories.http import assert_refused, walk
from tests.factories.people import TestPerson, make_person
from tests.security.world import Ask, World

NOTICES = "/api/v1/me/notices"
MATRIX = """
operation      rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listMyNotices  person  401    200+  200  200     200   200     200    200     200   200
"""
HERS = {"notices": "person_id = :alice"}


async def _my_notices(world: World) -> Ask:
    async with world.runtime.database.transaction() as tx:
        number = -randbelow(2**60)  # no message of the outbox has a negative one
        await notice_queries.insert(
            tx, person=world.alice.id, kind="test", body="候补成功", outbox_id=number
        )
    return Ask()


REQUESTS = {"listMyNotices": _my_notices}


async def send(runtime: Runtime, person: TestPerson, *texts: str) -> None:
    async with runtime.database.transaction() as tx:
        for text in texts:
            await outbox.put(tx, "notices.test", {"person_id": str(person.id), "text": text})


async def test_nothing_is_told_before_the_outbox_is_relayed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, "您好")
    before = await walk(api, NOTICES, person.headers)

    await relay(runtime)

    assert before == []
    found = await walk(api, NOTICES, person.headers)
    assert [(notice["kind"], notice["text"]) for notice in found] == [("test", "您好")]
    assert str(UUID(found[0]["id"])) == found[0]["id"]
    assert found[0]["created_at"].endswith("Z")


async def test_the_newest_comes_first_and_pages_hold_each_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, *"12345")
    await relay(runtime)

    for limit in (1, 2, 5, 100):
        found = await walk(api, NOTICES, person.headers, limit=limit)
        assert [notice["text"] for notice in found] == ["5", "4", "3", "2", "1"]


async def test_everybody_reads_only_their_own(api: httpx.AsyncClient, runtime: Runtime) -> None:
    alice, bob = await make_person(runtime), await make_person(runtime)
    await send(runtime, alice, "给爱丽")
    await relay(runtime)

    assert await walk(api, NOTICES, bob.headers) == []
    assert len(await walk(api, NOTICES, alice.headers)) == 1


async def test_a_message_that_is_delivered_twice_is_told_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    for _ in range(2):
        async with runtime.database.transaction() as tx:
            await notice_queries.insert(
                tx, person=person.id, kind="test", body="一次", outbox_id=-person.id.int % 2**62
            )

    assert len(await walk(api, NOTICES, person.headers)) == 1


async def test_one_bad_message_does_not_hold_up_the_others(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    async with runtime.database.transaction() as tx:
        await outbox.put(tx, "no_such_topic.x", {})
        await outbox.put(tx, "notices.test", {"person_id": "no id", "text": "x"})
    await send(runtime, person, "到了")

    await relay(runtime)

    assert [n["text"] for n in await walk(api, NOTICES, person.headers)] == ["到了"]


async def test_a_login_is_needed(api: httpx.AsyncClient) -> None:
    assert_refused(await api.get(NOTICES), 401, "auth.login_required")
