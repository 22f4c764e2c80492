"""GET /me/notices and POST /me/notices/read: the inbox that the outbox fills."""

from secrets import randbelow
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.ids import new_id
from app.jobs.outbox import relay
from app.models.notices import NoticeKind
from app.queries import notices as notice_queries
from app.queries import outbox
from app.queries.notices import NewNotice
from app.runtime import Runtime
from app.schemas import notices as notice_schemas
from app.services import notices as notice_service
from app.services import notify
from tests.factories.http import assert_refused, walk
from tests.factories.inbox import NOTICES, inbox, mark_read
from tests.factories.people import TestPerson, make_people, make_person
from tests.security.world import Ask, World

MATRIX = """
operation      rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listMyNotices  person  401    200+  200  200     200   200     200    200     200   200
readMyNotices  person  401    200   200  200     200   200     200    200     200   200
"""
HERS = {"notices": "person_id = :alice"}
FACTS: dict[str, Any] = {"title": "清明植树", "points": 5}


async def _my_notices(world: World) -> Ask:
    async with world.runtime.database.transaction() as tx:
        await notice_queries.insert(tx, [new_notice(world.alice.id)])
    return Ask()


async def _my_unread_notice(world: World) -> Ask:
    await _my_notices(world)
    made = await world.api.get(NOTICES, headers=world.alice.headers)
    return Ask(body={"up_to": made.json()["items"][0]["id"]})


REQUESTS = {"listMyNotices": _my_notices, "readMyNotices": _my_unread_notice}


def new_notice(person_id: UUID, kind: str = NoticeKind.award_paid, **changes: Any) -> NewNotice:
    """Return a notice as the relay inserts it; no message of the outbox has a negative number."""
    number = -randbelow(2**60)
    said: dict[str, Any] = {"facts": FACTS} | changes
    return NewNotice(person_id, kind, number, "award", new_id(), **said)


async def send(runtime: Runtime, person: TestPerson, *titles: str) -> None:
    """Tell a person of an award for each title."""
    async with runtime.database.transaction() as tx:
        for title in titles:
            subject = ("award", new_id())
            facts = FACTS | {"title": title}
            await notify.send(tx, person.id, NoticeKind.award_paid, subject, **facts)


async def merge(runtime: Runtime, person: TestPerson, org: UUID, count: int) -> None:
    """Tell a person of so many proposals to review."""
    async with runtime.database.transaction() as tx:
        facts = {"org": "三茅街道", "count": count}
        await notify.send(tx, person.id, NoticeKind.proposals_waiting, ("org", org), **facts)


async def page(
    api: httpx.AsyncClient, person: TestPerson, **headers: str
) -> tuple[httpx.Response, int]:
    response = await api.get(NOTICES, headers=person.headers | headers)
    return response, response.json()["unread"] if response.content else -1


async def test_nothing_is_told_before_the_outbox_is_relayed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, "清明植树")
    before = await walk(api, NOTICES, person.headers)

    await relay(runtime)

    assert before == []
    found = await walk(api, NOTICES, person.headers)
    assert [(one["kind"], one["title"]) for one in found] == [("award_paid", "积分到账")]
    assert found[0]["text"] == "「清明植树」的 5 积分已到账。"
    assert found[0]["is_read"] is False
    assert str(UUID(found[0]["id"])) == found[0]["id"]
    assert found[0]["created_at"].endswith("Z")


async def test_the_reader_chooses_the_language_when_reading(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, "清明植树")

    [chinese] = await inbox(api, runtime, person)
    [english] = await inbox(api, runtime, person, "en")

    assert english["title"] == "Points credited"
    assert english["text"] == "5 points credited for “清明植树”."
    assert {n: v for n, v in english.items() if n not in {"title", "text"}} == {
        n: v for n, v in chinese.items() if n not in {"title", "text"}
    }


async def test_the_newest_comes_first_and_pages_hold_each_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, *"12345")
    await relay(runtime)

    for limit in (1, 2, 5, 100):
        found = await walk(api, NOTICES, person.headers, limit=limit)
        assert [one["text"][1] for one in found] == ["5", "4", "3", "2", "1"]


async def test_everybody_reads_only_their_own(api: httpx.AsyncClient, runtime: Runtime) -> None:
    alice, bob = await make_people(runtime, 2)
    await send(runtime, alice, "给爱丽")

    [hers] = await inbox(api, runtime, alice)

    assert await inbox(api, runtime, bob) == []
    assert await mark_read(api, bob, hers["id"]) == 0
    assert (await page(api, alice))[1] == 1, "Bob's reading is not Alice's"


async def test_up_to_marks_it_and_everything_older(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, *"123")
    newest, middle, oldest = await inbox(api, runtime, person)

    assert await mark_read(api, person, middle["id"]) == 1
    assert await mark_read(api, person, oldest["id"]) == 1, "what is read stays read"

    assert [one["is_read"] for one in await inbox(api, runtime, person)] == [False, True, True]
    assert await mark_read(api, person, newest["id"]) == 0
    assert (await page(api, person))[1] == 0


async def test_unread_is_of_all_pages_and_counted_to_a_limit(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, *"123")
    await relay(runtime)

    short = await api.get(NOTICES, headers=person.headers, params={"limit": 1})
    assert (len(short.json()["items"]), short.json()["unread"]) == (1, 3)
    assert notice_schemas.MAX_UNREAD == 1_000
    monkeypatch.setattr(notice_service, "MAX_UNREAD", 2)
    assert (await page(api, person))[1] == 2


async def test_a_poll_costs_no_body_until_something_changes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, "1")
    [only] = await inbox(api, runtime, person)
    tag = (await page(api, person))[0].headers["etag"]
    known = {"If-None-Match": tag}

    assert (await page(api, person, **known))[0].status_code == 304
    assert (await page(api, person, **known, **{"Accept-Language": "en"}))[0].status_code == 200
    await mark_read(api, person, only["id"])
    changed, unread = await page(api, person, **known)
    assert (changed.status_code, unread) == (200, 0)


async def test_a_message_that_is_delivered_twice_is_told_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    once = new_notice(person.id)
    for _ in range(2):
        async with runtime.database.transaction() as tx:
            await notice_queries.insert(tx, [once])

    assert len(await walk(api, NOTICES, person.headers)) == 1


async def test_what_merges_is_one_until_it_is_read(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, here, there = await make_person(runtime), new_id(), new_id()
    await merge(runtime, person, here, 3)
    [first] = await inbox(api, runtime, person)
    await send(runtime, person, "清明植树")
    await merge(runtime, person, here, 4)

    merged, award = await inbox(api, runtime, person)
    assert merged["text"] == "三茅街道新收到 7 项积分申报，请审核。"
    assert merged["subject"] == {"type": "org", "id": str(here)}
    assert award["kind"] == "award_paid", "what merged has come first again"
    assert await mark_read(api, person, first["id"]) == 2, "the reader saw 3 of the 7"

    await merge(runtime, person, there, 1)
    assert len(await inbox(api, runtime, person)) == 3, "another organisation's is its own"
    newest = (await inbox(api, runtime, person))[0]
    assert await mark_read(api, person, newest["id"]) == 0
    await merge(runtime, person, here, 2)
    texts = [one["text"] for one in await inbox(api, runtime, person, "en")]
    assert texts[0] == "2 new awards to review at 三茅街道."
    assert len(texts) == 4


async def test_what_merges_counts_a_message_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    once = new_notice(
        person.id, NoticeKind.proposals_waiting, facts={"org": "三茅街道", "count": 3}
    )
    for _ in range(2):
        async with runtime.database.transaction() as tx:
            await notice_queries.merge(tx, once)

    assert [one["text"] for one in await walk(api, NOTICES, person.headers)] == [
        "三茅街道新收到 3 项积分申报，请审核。"
    ]


async def test_a_row_of_before_keeps_its_text(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    async with runtime.database.transaction() as tx:
        old = {"person_id": str(person.id), "text": "候补成功：您已获得名额"}
        await outbox.put(tx, "notices.promoted", old)

    for language, title in (("zh-CN", "候补成功"), ("en", "You have a place")):
        [found] = await inbox(api, runtime, person, language)
        assert (found["title"], found["text"]) == (title, "候补成功：您已获得名额")
        assert (found["kind"], found["subject"]) == ("promoted", None)


async def test_a_kind_of_a_newer_version_does_not_break_the_inbox(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await send(runtime, person, "清明植树")
    await relay(runtime)
    async with runtime.database.transaction() as tx:
        await notice_queries.insert(tx, [new_notice(person.id, "moon_landing")])

    found = await inbox(api, runtime, person)

    assert [(one["kind"], one["title"]) for one in found] == [
        ("other", "通知"),
        ("award_paid", "积分到账"),
    ]


async def test_one_bad_message_does_not_hold_up_the_others(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    async with runtime.database.transaction() as tx:
        await outbox.put(tx, "no_such_topic.x", {})
        await outbox.put(tx, "notices.promoted", {"person_id": "no id", "text": "x"})
        await outbox.put(tx, "notices.moon_landing", {"person_id": str(person.id), "text": "x"})
        await outbox.put(tx, "notices.other", {"person_id": str(person.id), "text": "x"})
    await send(runtime, person, "到了")

    assert [one["text"][1:3] for one in await inbox(api, runtime, person)] == ["到了"]


@pytest.mark.parametrize("body", [{}, {"up_to": "x"}, {"up_to": str(uuid4()), "from": 1}])
async def test_only_an_id_says_up_to_where(
    api: httpx.AsyncClient, runtime: Runtime, body: dict[str, object]
) -> None:
    person = await make_person(runtime)
    response = await api.post(f"{NOTICES}/read", headers=person.headers, json=body)
    assert_refused(response, 422, "request.invalid")


async def test_a_login_is_needed(api: httpx.AsyncClient) -> None:
    assert_refused(await api.get(NOTICES), 401, "auth.login_required")
    read = await api.post(f"{NOTICES}/read", json={"up_to": str(uuid4())})
    assert_refused(read, 401, "auth.login_required")


async def test_what_was_told_is_a_text_or_facts_about_a_subject(runtime: Runtime) -> None:
    person = await make_person(runtime)
    nothing = new_notice(person.id, facts=None)
    with pytest.raises(Exception, match="ck_notices_content"):
        async with runtime.database.transaction() as tx:
            await notice_queries.insert(tx, [nothing])
    async with runtime.database.read() as tx:
        query = text("SELECT count(*) FROM notices WHERE person_id = :person")
        assert (await tx.execute(query, {"person": person.id})).scalar_one() == 0
