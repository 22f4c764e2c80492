"""Messages of WeChat: accepted one by one, sent beside notices, and never in their way."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from app.core.clock import now
from app.core.ids import new_id
from app.integrations.wechat.client import SEND_PATH
from app.jobs import subscriptions as job
from app.jobs.outbox import relay
from app.runtime import Runtime
from app.services import erasures, notify, subscriptions
from tests.factories.http import assert_refused, bearer, keyed, log_in
from tests.factories.inbox import inbox
from tests.factories.people import TestPerson
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MINE = "/api/v1/me/subscriptions"
POINTS = "sandbox-points"
MATRIX = """
operation            rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listMySubscriptions  person  401    200   200  200     200   200     200    200     200   200
answerSubscriptions  person  401    200   200  200     200   200     200    200     200   200
"""
HERS = {"subscriptions": "person_id = :alice"}
BESIDE_POINTS = {"subscriptions"}
BEYOND_THE_SCHEMA = {"body.answers"}  # templates that are not set; one there twice


async def _answers(world: World) -> Ask:
    await tell(world.api, world.alice, POINTS)
    return Ask(body=answers(POINTS))


async def _answered(world: World) -> Ask:
    await tell(world.api, world.alice, POINTS)
    return Ask()


REQUESTS = {"answerSubscriptions": _answers, "listMySubscriptions": _answered}


async def known(_: Setup) -> Known:
    return {"template_id": [POINTS]}


def answers(*templates: str, answer: str = "accept") -> dict[str, Any]:
    return {"answers": [{"template_id": one, "answer": answer} for one in templates]}


async def tell(
    api: httpx.AsyncClient, person: TestPerson, *templates: str, answer: str = "accept"
) -> httpx.Response:
    body = answers(*templates, answer=answer)
    return await api.post(MINE, headers=keyed(person), json=body)


async def make_user(api: httpx.AsyncClient, accepts: int) -> tuple[str, TestPerson]:
    """Log a user in who accepted the template so often; WeChat knows of it."""
    user = f"subscriber-{uuid4()}"
    login = await log_in(api, user)
    person = TestPerson(UUID(login["person"]["id"]), user, bearer(login["access_token"]))
    for _ in range(accepts):
        assert (await tell(api, person, POINTS)).status_code == 200
    body = {"user": user, "template_id": POINTS, "times": accepts}
    (await api.post("/sandbox/wechat/subscriptions", json=body)).raise_for_status()
    return user, person


async def pay(runtime: Runtime, person: TestPerson, title: str = "植树") -> None:
    """Tell a person of points, and let the workers do what follows."""
    async with runtime.database.transaction() as tx:
        await notify.send(tx, person.id, "award_paid", ("award", new_id()), title=title, points=5)
    await relay(runtime)
    await job.send(runtime)


async def credits_of(api: httpx.AsyncClient, person: TestPerson) -> int:
    items = (await api.get(MINE, headers=person.headers)).json()["items"]
    return int({one["template_id"]: one["credits"] for one in items}[POINTS])


async def sent(api: httpx.AsyncClient, user: str) -> list[dict[str, Any]]:
    reply = await api.get("/sandbox/wechat/messages", params={"user": user})
    found: list[dict[str, Any]] = reply.raise_for_status().json()
    return found


async def script(api: httpx.AsyncClient, user: str, errcode: int) -> None:
    body = {"path": SEND_PATH, "errcode": errcode, "user": user}
    (await api.post("/sandbox/wechat/script", json=body)).raise_for_status()


async def test_each_accept_is_good_for_one_message(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    user, person = await make_user(api, 2)
    await pay(runtime, person, "青年志愿者协会二〇二六年度清明节前植树造林活动")
    [message] = await sent(api, user)
    assert message["data"] == {
        "thing1": {"value": "青年志愿者协会二〇二六年度清明节前植树…"},
        "number2": {"value": "5"},
    }
    assert (message["template_id"], message["page"]) == (POINTS, "pages/points/index")
    assert await credits_of(api, person) == 1
    for _ in range(2):
        await pay(runtime, person)
    assert (len(await sent(api, user)), await credits_of(api, person)) == (2, 0)
    assert len(await inbox(api, runtime, person)) == 3, "notices need no accept"


async def test_answers_are_counted_once_and_a_ban_ends_all(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    _, person = await make_user(api, 1)
    headers = keyed(person)
    replies = await asyncio.gather(
        *(api.post(MINE, headers=headers, json=answers(POINTS)) for _ in range(2))
    )
    assert {one.status_code for one in replies} <= {200, 409}
    assert await credits_of(api, person) == 2
    assert (await tell(api, person, POINTS, answer="reject")).status_code == 200
    assert await credits_of(api, person) == 2, "an accept of before stays good"
    for wrong, said in ((("unknown",), "没有这个模板"), ((POINTS, POINTS), "模板重复")):
        refused = await tell(api, person, *wrong)
        assert_refused(refused, 422, "request.invalid")
        assert [one["msg"] for one in refused.json()["errors"]] == [said]
    banned = (await tell(api, person, POINTS, answer="ban")).json()["items"]
    [mine] = [one for one in banned if one["template_id"] == POINTS]
    assert (mine["credits"], mine["answer"], mine["kinds"]) == (0, "ban", ["award_paid"])
    async with runtime.database.transaction() as tx:
        await erasures.erase(tx, [person.id], now())
        rows = await tx.fetch("SELECT FROM subscriptions WHERE person_id = :id", {"id": person.id})
    assert rows == []


async def test_what_wechat_refuses_ends_the_credit_or_alerts_the_operator(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    user, person = await make_user(api, 3)
    with capture_logs() as logs:
        for errcode in (47003, 40037):
            await script(api, user, errcode)
            await pay(runtime, person)
    alerts = [one["errcode"] for one in logs if one["event"] == "subscriptions.wrong"]
    assert alerts == [47003, 40037]
    assert await credits_of(api, person) == 3
    await script(api, user, 43101)
    await pay(runtime, person)
    assert (await sent(api, user), await credits_of(api, person)) == ([], 0)
    assert len(await inbox(api, runtime, person)) == 3


async def test_a_wechat_that_fails_is_asked_again_later_and_holds_nothing_up(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    user, person = await make_user(api, 1)
    await script(api, user, 45011)
    await pay(runtime, person)
    assert (await sent(api, user), await credits_of(api, person)) == ([], 1)
    assert len(await inbox(api, runtime, person)) == 1
    due = """
        UPDATE outbox SET due_at = now(), attempts = attempts + :more
        WHERE topic = 'subscriptions.send' AND handled_at IS NULL
          AND payload ->> 'person_id' = :person RETURNING attempts
    """
    async with runtime.database.transaction() as tx:
        [row] = await tx.fetch(due, {"person": str(person.id), "more": 0})
    assert row.attempts == 1
    await job.send(runtime)
    assert (len(await sent(api, user)), await credits_of(api, person)) == (1, 0)

    other, late = await make_user(api, 1)
    await script(api, other, 45011)
    await pay(runtime, late)
    async with runtime.database.transaction() as tx:
        await tx.fetch(due, {"person": str(late.id), "more": subscriptions.MAX_ATTEMPTS})
    await job.send(runtime)
    assert (await sent(api, other), await credits_of(api, late)) == ([], 1), "given up"


@pytest.mark.parametrize(
    ("field", "text", "fitting"),
    [
        ("thing1", "一" * 20, "一" * 20),
        ("thing1", "一" * 21, "一" * 19 + "…"),
        ("thing1", "  ", "无"),
        ("phrase3", "已经取消了吧", "已经取消了"),
        ("name4", "欧阳" * 6, "欧阳" * 5),
        ("name4", "a" * 21, "a" * 20),
        ("time2", "2026年11月29日 23:59", "2026年11月29日 23:59"),
        ("character_string12", "x" * 40, "x" * 32),
    ],
)
def test_fields_are_cut_to_their_limits(field: str, text: str, fitting: str) -> None:
    assert subscriptions.cut(field, text) == fitting


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("nothing_known", 'thing1 = "{title}"'),
        ("promoted", 'thing1 = "{points:n}"'),
        ("promoted", 'thing1 = "{starts_at}"'),
        ("promoted", 'picture1 = "{title}"'),
        ("promoted", ""),
    ],
)
def test_a_wrong_template_is_refused_at_the_start(tmp_path: Path, kind: str, field: str) -> None:
    file = tmp_path / "templates.toml"
    file.write_text(f'[{kind}]\ntemplate_id = "abc"\nfields = {{ {field} }}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=f"{kind}|fields|picture1"):
        subscriptions.load(file)
    assert subscriptions.load(None) == {}
