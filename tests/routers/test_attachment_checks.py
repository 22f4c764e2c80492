"""With WeChat's pushes set up, a picture is shown after WeChat has checked it, or never."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.integrations.storage import ObjectMissing
from app.jobs import attachments
from app.jobs.outbox import relay
from app.models.activities import Activity
from app.runtime import Runtime
from app.services.attachments import reading
from tests.conftest import ScratchFactory
from tests.factories.activities import make_activity
from tests.factories.attachments import ATTACHMENTS, PDF, attach
from tests.factories.http import assert_refused
from tests.factories.inbox import inbox
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.integrations.test_wechat_pushes import AES_KEY, TOKEN

CHECK_PATH = "/wxa/media_check_async"


@dataclass(frozen=True)
class Stage:
    api: httpx.AsyncClient
    runtime: Runtime
    activity: Activity
    organizer: TestPerson

    async def attach(self, content: bytes | None = None) -> dict[str, Any]:
        return await attach(self.api, self.organizer, ("activity", self.activity.id), content)

    async def seen_by(self, made: dict[str, Any], person: TestPerson | None) -> set[int]:
        """Return the statuses of the ways to look at an attachment."""
        headers = person.headers if person else {}
        paths = [f"{ATTACHMENTS}/{made['id']}", made["url"], made["thumbnail_url"]]
        return {(await self.api.get(path, headers=headers)).status_code for path in paths}

    async def state(self, made: dict[str, Any]) -> str:
        path = f"{ATTACHMENTS}/{made['id']}"
        return str((await self.api.get(path, headers=self.organizer.headers)).json()["state"])

    async def listed(self) -> list[str]:
        query = {"subject_type": "activity", "subject_id": str(self.activity.id)}
        page = (await self.api.get(ATTACHMENTS, params=query)).json()
        return [one["id"] for one in page["items"]]

    async def answer(self, suggest: str) -> list[dict[str, Any]]:
        """Let WeChat check what waits; return what it pushed."""
        path = "/sandbox/wechat/media-checks"
        reply = await self.api.post(path, json={"suggest": suggest})
        assert reply.status_code == 200, reply.text
        pushed: list[dict[str, Any]] = reply.json()["pushed"]
        return pushed

    async def script(self, errcode: int, times: int = 1) -> None:
        body = {"path": CHECK_PATH, "errcode": errcode, "times": times}
        assert (await self.api.post("/sandbox/wechat/script", json=body)).status_code == 200

    async def run(self, statement: str, **values: Any) -> Any:
        async with self.runtime.database.transaction() as tx:
            return await tx.execute(text(statement), values)


@pytest.fixture
async def stage(scratch: ScratchFactory) -> AsyncIterator[Stage]:
    settings = {
        "wechat_push_token": TOKEN,
        "wechat_push_aes_key": AES_KEY,
        "public_url": "http://test",
    }
    async with scratch(**settings) as app:
        runtime: Runtime = app.state.runtime
        transport = httpx.ASGITransport(app)
        assert runtime.sandbox is not None
        runtime.sandbox.state.pusher.transport = transport
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            activity = await make_activity(runtime)
            organizer = await make_organizer(runtime, activity.org_id)
            yield Stage(api, runtime, activity, organizer)


async def test_a_picture_is_shown_after_wechat_has_let_it_pass(stage: Stage) -> None:
    made = await stage.attach()
    second = await make_organizer(stage.runtime, stage.activity.org_id)
    assert made["state"] == "checking"
    for person in (None, await make_person(stage.runtime)):
        assert await stage.seen_by(made, person) == {404}
    for person in (stage.organizer, second):
        assert await stage.seen_by(made, person) == {200}
    assert await stage.listed() == []
    private = await stage.api.get(made["url"], headers=stage.organizer.headers)
    assert private.headers["cache-control"].startswith("private, ")
    await relay(stage.runtime)

    pushed = await stage.answer("pass")

    assert [(one["status"], one["text"], one["errcode"]) for one in pushed] == [(200, "success", 0)]
    assert await stage.state(made) == "ready"
    assert await stage.seen_by(made, None) == {200}
    assert await stage.listed() == [made["id"]]


@pytest.mark.parametrize("suggest", ["risky", "review"])
async def test_what_does_not_pass_is_shown_to_nobody(stage: Stage, suggest: str) -> None:
    made = await stage.attach()
    await relay(stage.runtime)

    await stage.answer(suggest)

    assert await stage.state(made) == "blocked"
    assert await stage.listed() == []
    for person in (None, stage.organizer):
        for url in (made["url"], made["thumbnail_url"]):
            headers = person.headers if person else {}
            refused = await stage.api.get(url, headers=headers)
            assert_refused(refused, 404, "attachments.not_found")
    await relay(stage.runtime)
    for key in reading.keys_of(UUID(made["id"])):
        with pytest.raises(ObjectMissing):
            await stage.runtime.store.get(key)


async def test_the_uploader_and_the_audit_trail_are_told(stage: Stage) -> None:
    made = await stage.attach()
    await relay(stage.runtime)
    await stage.answer("risky")

    notice = (await inbox(stage.api, stage.runtime, stage.organizer))[0]
    english = (await inbox(stage.api, stage.runtime, stage.organizer, "en"))[0]
    administrator = await make_administrator(stage.runtime, stage.activity.org_id)
    query = {"org_id": str(stage.activity.org_id), "subject_id": made["id"]}
    trail = await stage.api.get("/api/v1/audit", headers=administrator.headers, params=query)

    assert notice["kind"] == "attachment_blocked"
    assert notice["subject"] == {"type": "activity", "id": str(stage.activity.id)}
    assert notice["text"] == "您上传的图片未通过微信内容安全检测，已删除。"
    assert english["text"].startswith("A picture that you uploaded did not pass")
    entry = trail.json()["items"][0]
    assert (entry["verb"], entry["actor"], entry["reason"]) == ("blocked", None, "risky")
    assert (entry["from"], entry["to"]) == ("checking", "blocked")
    assert entry["facts"] == {"about": f"activity:{stage.activity.id}"}


async def test_a_pdf_is_not_checked(stage: Stage) -> None:
    assert (await stage.attach(PDF))["state"] == "ready"
    await relay(stage.runtime)
    assert await stage.answer("risky") == []


async def test_an_answer_counts_once(stage: Stage) -> None:
    made = await stage.attach()
    await relay(stage.runtime)
    pushed = await stage.answer("pass")
    event = {
        "ToUserName": "gh_1",
        "Event": "wxa_media_check",
        "trace_id": pushed[0]["trace_id"],
        "result": {"suggest": "risky"},
    }
    assert stage.runtime.sandbox is not None
    pusher = stage.runtime.sandbox.state.pusher
    for message in (event, event | {"trace_id": "unknown"}, event | {"result": None}):
        assert (await pusher.push(message)).text == "success"
    assert await stage.state(made) == "ready"


async def test_wechat_is_asked_again_when_it_was_away(stage: Stage) -> None:
    made = await stage.attach()
    await stage.script(48001)
    await relay(stage.runtime)
    assert await stage.answer("pass") == []
    assert await stage.state(made) == "checking"

    await stage.run("UPDATE outbox SET due_at = now() WHERE handled_at IS NULL")
    await relay(stage.runtime)

    assert len(await stage.answer("pass")) == 1
    assert await stage.state(made) == "ready"


async def test_wechat_is_asked_again_when_no_answer_came(stage: Stage) -> None:
    made = await stage.attach()
    await relay(stage.runtime)
    assert stage.runtime.sandbox is not None
    stage.runtime.sandbox.state.pusher.token = "another"
    assert [one["status"] for one in await stage.answer("pass")] == [403]
    stage.runtime.sandbox.state.pusher.token = TOKEN
    assert await attachments.ask_again(stage.runtime) == 0
    long_ago = now() - attachments.OVERDUE - timedelta(seconds=1)
    await stage.run("UPDATE attachments SET asked_at = :at", at=long_ago)

    assert await attachments.ask_again(stage.runtime) == 1
    assert await attachments.ask_again(stage.runtime) == 0
    await relay(stage.runtime)

    await stage.answer("pass")
    assert await stage.state(made) == "ready"


async def test_a_link_is_of_one_picture_and_ends(stage: Stage) -> None:
    made, other = await stage.attach(), await stage.attach()
    links, soon = stage.runtime.links, int(now().timestamp()) + 60

    async def read(expires: int, signature: str, of: dict[str, Any] = made) -> int:
        query = {"expires": str(expires), "signature": signature}
        return (await stage.api.get(of["url"], params=query)).status_code

    right = links.sign(made["id"], soon)
    assert await read(soon, right) == 200
    assert await read(soon, right, other) == 404
    assert await read(soon + 1, right) == 404
    assert await read(soon, right[:-1] + ("0" if right[-1] != "0" else "1")) == 404
    assert await read(soon - 120, links.sign(made["id"], soon - 120)) == 404


async def test_a_picture_that_is_gone_is_not_checked(stage: Stage) -> None:
    made, kept = await stage.attach(), await stage.attach()
    await stage.run("DELETE FROM attachments WHERE id = :id", id=UUID(made["id"]))
    await relay(stage.runtime)
    await stage.answer("pass")
    assert await stage.listed() == [kept["id"]]
    waiting = await stage.run("SELECT count(*) FROM outbox WHERE handled_at IS NULL")
    assert waiting.scalar_one() == 0


async def test_a_picture_that_wechat_cannot_fetch_waits(stage: Stage) -> None:
    made = await stage.attach()
    await relay(stage.runtime)
    await stage.runtime.store.remove(*reading.keys_of(UUID(made["id"])))
    assert [one["errcode"] for one in await stage.answer("risky")] == [-1008]
    assert await stage.state(made) == "checking"
