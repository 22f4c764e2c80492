"""A database of the release, with its data: migrated, verified, served, gone on with."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import structlog
from cryptography.exceptions import InvalidTag
from sqlalchemy import text
from sqlmodel import col, select
from structlog.testing import capture_logs

from app.core.keys import FieldCipher
from app.embedded.databases import connect, create_database, drop_database, renamed
from app.embedded.layout import Engines
from app.integrations.wechat_sandbox.state import sandbox_openid
from app.jobs.worker import jobs
from app.models.awards import Award
from app.models.people import Person
from app.runtime import Runtime
from app.services.ledger import verification
from tests.conftest import ScratchFactory
from tests.engines import CLOSES_DAYS_TO_COME
from tests.factories.clock import travel
from tests.factories.http import assert_refused, bearer, log_in
from tests.factories.leaderboards import fed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.logins import refresh
from tests.migrations import old as olds
from tests.migrations.changed import CHANGED
from tests.migrations.dump import count_rows, dump, load
from tests.migrations.old import Json, Old, differences

XINBA = "321182101"
API = "/api/v1"


MOVED: dict[str, int | None] = {
    "activity_lists": 66,
    "award_objections": None,
    "case_entries": 14,
    "cases": 6,
    "ledger_holds": 2,
}
# Columns, by table, that a migration fills with new values each time, such as ids that it makes.
ANEW = {"audit_entries": {"id", "at"}, "cases": {"id"}, "case_entries": {"case_id"}}


@pytest_asyncio.fixture(scope="module")
async def template(engines_and_template: tuple[Engines, str]) -> AsyncIterator[tuple[str, Old]]:
    """The name of a migrated copy of the old database, to be copied, and what was kept of it."""
    found, _ = engines_and_template
    name = f"scratch_{os.getpid()}_old"
    await drop_database(found.admin_database_url, name)
    await create_database(found.admin_database_url, name)
    url = renamed(found.migration_database_url, name)
    kept = await olds.migrated(url)
    owner = await connect(url)
    await owner.execute(CLOSES_DAYS_TO_COME)
    await owner.close()
    yield name, kept
    await drop_database(found.admin_database_url, name)


def _url(engines_and_template: tuple[Engines, str], name: str) -> str:
    return renamed(engines_and_template[0].migration_database_url, name)


@pytest.fixture
async def copy(
    engines_and_template: tuple[Engines, str], template: tuple[str, Old]
) -> AsyncIterator[str]:
    """The owner's URL of a copy of the migrated database."""
    admin, name = engines_and_template[0].admin_database_url, f"{template[0]}_copy"
    await create_database(admin, name, template=template[0])
    yield _url(engines_and_template, name)
    await drop_database(admin, name)


@pytest.fixture
def old(template: tuple[str, Old]) -> Old:
    return template[1]


@dataclass(frozen=True)
class Served:
    """The application on the old data, at the moment of the dump."""

    api: httpx.AsyncClient
    runtime: Runtime
    old: Old

    def headers(self, user: str | None) -> dict[str, str]:
        """Return the user's headers, with the access token that the release issued."""
        if user is None:
            return {}
        return bearer(self.old.kept["logins"][user]["access_token"])

    @property
    def left(self) -> dict[str, str]:
        """Return the ids of what was half done, by name."""
        found: dict[str, str] = self.old.kept["left"]
        return found

    async def get(self, user: str, path: str) -> Json:
        reply = await self.api.get(API + path, headers=self.headers(user))
        assert reply.status_code == 200, reply.text
        body: Json = reply.json()
        return body

    async def post(self, user: str, path: str, body: Json | None = None) -> httpx.Response:
        headers = self.headers(user) | {"Idempotency-Key": str(uuid4())}
        return await self.api.post(API + path, headers=headers, json=body or {})

    async def done(self, user: str, path: str, body: Json | None = None) -> Json:
        reply = await self.post(user, path, body)
        assert reply.is_success, reply.text
        found: Json = reply.json()
        return found

    async def repeat(self, request: Json) -> httpx.Response:
        """Send again, byte for byte, what was sent to the release."""
        told = {"Idempotency-Key": request["key"], "Content-Type": request["type"]}
        content = request["content"].encode("utf-8", "surrogateescape")
        headers = self.headers(request["user"]) | told
        return await self.api.post(request["path"], headers=headers, content=content)

    async def state_of(self, award: str) -> str:
        async with self.runtime.database.read() as tx:
            found = await tx.execute(select(col(Award.state)).where(col(Award.id) == UUID(award)))
            return str(found.scalar_one())


@pytest.fixture
async def served(
    engines_and_template: tuple[Engines, str],
    template: tuple[str, Old],
    worker_number: int,
) -> AsyncIterator[Served]:
    name, old = template
    scratch = ScratchFactory((engines_and_template[0], name), worker_number)
    async with AsyncExitStack() as stack:
        stack.enter_context(travel(old.moment))
        app = await stack.enter_async_context(scratch())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        api = httpx.AsyncClient(transport=transport, base_url="http://test")
        yield Served(await stack.enter_async_context(api), app.state.runtime, old)


async def test_every_row_is_there(engines_and_template: tuple[Engines, str], old: Old) -> None:
    url = _url(engines_and_template, f"scratch_{os.getpid()}_old")
    after: dict[str, int | None] = {**await count_rows(url)}
    assert min(old.before.values()) > 0, "each table had rows"
    expected = old.before | MOVED
    assert {table: after.get(table) for table in expected} == expected


async def test_the_models_say_what_the_migrated_database_is(copy: str) -> None:
    await olds.check(copy)


async def test_down_and_up_again_loses_nothing(copy: str, old: Old, tmp_path: Path) -> None:
    first, back, again = (tmp_path / name for name in ("first", "back", "again"))
    await dump(copy, first)
    await olds.downgrade(copy, old.kept["revision"])
    await dump(copy, back)
    await olds.upgrade(copy, "head")
    await dump(copy, again)
    assert olds.contents(back) == olds.contents(olds.ROWS)
    assert olds.contents(again, ANEW) == olds.contents(first, ANEW)


async def test_down_after_use_keeps_every_row_of_the_release(served: Served) -> None:
    url = served.runtime.settings.migration_database_url
    assert url is not None
    path = f"/awards/objections/{served.left['objection']}/decision"
    await served.done("reviewer", path, {"upheld": False, "reason": "已核实"})
    await run_jobs(served.runtime)
    kept = {"people", "awards", "deductions", "notices", "ledger_transfers", "award_objections"}
    before = await count_rows(url)
    await olds.downgrade(url, served.old.kept["revision"])
    after = await count_rows(url)
    assert {table: after[table] for table in kept & {*before}} == {
        table: before[table] for table in kept & {*before}
    }
    assert {*after} == {*served.old.before}
    assert after["notices"] > served.old.before["notices"]


async def test_a_dump_is_loaded_at_its_revision_only(copy: str) -> None:
    with pytest.raises(ValueError, match="is in the dump"):
        await load(copy, olds.ROWS)


async def test_what_was_answered_is_answered(served: Served) -> None:
    await fed(served.runtime)
    wrong, used = [], set()
    for answer in served.old.kept["answers"]:
        reply = await served.api.get(answer["url"], headers=served.headers(answer["user"]))
        is_json = "json" in reply.headers["content-type"]
        body = reply.json() if is_json else reply.text
        then = {"status": answer["status"], "body": answer["body"]}
        path = answer["url"].removeprefix(API).partition("?")[0]
        for field in differences(then, {"status": reply.status_code, "body": body}):
            allowed = [one for one in CHANGED if one.covers(f"{answer['user']} {path}", field)]
            used |= {(one.path, field) for one in allowed}
            if not allowed:
                wrong.append((answer["user"], answer["url"], field, answer["body"], body))
    assert wrong == []
    assert used == {(one.path, field) for one in CHANGED for field in one.fields}


async def test_the_ledger_verifies_with_the_seals_that_were_published(served: Served) -> None:
    published = {
        date.fromisoformat(one["day"]): bytes.fromhex(one["seal"])
        for answer in served.old.kept["answers"]
        if "/ledger/seals" in answer["url"]
        for one in answer["body"]["items"]
    }
    assert len(published) > 50
    async with served.runtime.database.snapshot() as tx:
        report = await verification.verify(tx, published=published)
    assert report.differences == []
    assert report.sealed_to == max(published)


async def test_a_request_that_is_repeated_gets_its_reply_byte_for_byte(served: Served) -> None:
    url = served.runtime.settings.migration_database_url
    assert url is not None
    before = await count_rows(url)
    for request in served.old.kept["requests"]:
        reply = await served.repeat(request)
        assert reply.content == request["reply"].encode(), request["path"]
        assert reply.status_code == request["status"]
        assert reply.headers["idempotency-replayed"] == "true"
    assert await count_rows(url) == before
    assert {one["status"] for one in served.old.kept["requests"]} == {200, 201, 409}


async def test_a_key_of_then_is_not_for_another_request(served: Served) -> None:
    request = next(one for one in served.old.kept["requests"] if "json" in one["type"])
    reply = await served.repeat(request | {"content": "{}"})
    assert_refused(reply, 422, "idempotency.key_reused")


async def test_logins_go_on_and_people_are_known_again(served: Served) -> None:
    for user, login in served.old.kept["logins"].items():
        reply = await refresh(served.api, login["refresh_token"])
        assert reply.status_code == 200, reply.text
        again = await log_in(served.api, user)
        assert again["person"] == reply.json()["person"] == login["person"]
        assert not again["is_new"]


async def test_a_login_that_ended_stays_ended(served: Served) -> None:
    for user in ("bob", "carol"):
        reply = await refresh(served.api, served.left[f"ended_token_of_{user}"])
        assert reply.status_code == 401


async def test_an_openid_is_read_with_the_key_of_then(served: Served) -> None:
    async with served.runtime.database.read() as tx:
        people = (await tx.execute(select(col(Person.id), col(Person.openid_sealed)))).all()
    openids = {str(one.id): opened(served.runtime.cipher, one.openid_sealed) for one in people}
    logins = served.old.kept["logins"]
    assert openids == {one["person"]["id"]: sandbox_openid(user) for user, one in logins.items()}


def opened(cipher: FieldCipher, sealed: bytes) -> str | None:
    """Decrypt; None if it was encrypted with a key that the cipher does not have."""
    try:
        return cipher.open(sealed)
    except (KeyError, InvalidTag):
        return None


async def test_an_open_appeal_is_decided(served: Served) -> None:
    before = await served.get("gus", "/me/points")
    path = f"/deductions/{served.left['appealed']}/decision"
    body = {"granted": True, "reason": "属实"}
    assert_refused(await served.post("organizer", path, body), 403, "deductions.own")
    assert (await served.done("organizer2", path, body))["state"] == "revoked"
    assert (await served.get("gus", "/me/points"))["available"] == before["available"] + 2


@pytest.mark.parametrize(("upheld", "state"), [(True, "rejected"), (False, "notice")])
async def test_an_open_objection_is_decided(served: Served, upheld: bool, state: str) -> None:
    path = f"/awards/objections/{served.left['objection']}/decision"
    body = {"upheld": upheld, "reason": "已核实"}
    assert (await served.done("reviewer", path, body))["state"] == state


async def test_awards_under_way_are_approved_rejected_paid_and_released(served: Served) -> None:
    left = served.left
    approved = await served.done("reviewer", f"/awards/{left['once_approved']}/approval")
    assert approved["state"] == "notice"
    body = {"reason": "重复申报"}
    rejected = await served.done("reviewer", f"/awards/{left['pending']}/rejection", body)
    assert rejected["state"] == "rejected"
    receipt = {"kind": "budget", "points": 30, "giver": "新坝镇团委"}
    await served.done("treasurer", f"/orgs/{served.old.kept['orgs'][XINBA]}/fund/receipts", receipt)
    await run_jobs(served.runtime)
    assert await served.state_of(left["unpaid"]) == "pending"
    with travel(served.old.moment + timedelta(days=4)):
        await run_jobs(served.runtime)
    assert await served.state_of(left["notice"]) == "available"
    assert await served.state_of(left["objected"]) == "notice", "an objection holds it up"


async def test_a_counter_goes_on(served: Served) -> None:
    code = {"pickup_code": served.left["reserved"]}
    collected = await served.done("merchant2", "/merchant/redemptions/collect", code)
    assert collected["status"] == "collected"
    path = f"/merchant/charges/{served.left['charged']}/refund"
    assert (await served.done("merchant", path, {"reason": "退货"}))["status"] == "refunded"


async def test_a_reservation_that_is_overdue_is_given_back(served: Served) -> None:
    await run_jobs(served.runtime)
    found = {one["id"]: one for one in (await served.get("eve", "/me/redemptions"))["items"]}
    assert found[served.left["overdue"]]["status"] == "expired"
    assert (await served.get("eve", "/me/points"))["held"] == 0


async def test_activities_under_way_go_on(served: Served) -> None:
    left = served.left
    path = f"/activities/{left['running']}/checkin-code"
    code = (await served.get("organizer", path))["code"]
    result = await served.done("dan", "/checkins", {"code": code})
    assert result["award"]["points"] == 2, "what is left of two hours"
    again = await served.post("alice", "/checkins", {"code": code})
    assert again.status_code == 200, "she was there before"
    published = await served.done("organizer", f"/activities/{left['draft']}/publish")
    assert published["status"] == "published"
    first = (await served.get("dan", "/me/signups"))["items"]
    assert {one["id"]: one["position"] for one in first}[left["signup_of_dan"]] == 1
    place = f"{API}/signups/{left['signup_of_alice']}"
    assert (await served.api.delete(place, headers=served.headers("alice"))).status_code == 204
    first = (await served.get("dan", "/me/signups"))["items"]
    assert {one["id"]: one["status"] for one in first}[left["signup_of_dan"]] == "confirmed"


async def test_each_job_runs_and_nothing_is_logged(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as lines:
        for name, module in [*sys.modules.items()]:
            if name.startswith("app.") and hasattr(module, "log"):
                monkeypatch.setattr(module, "log", structlog.get_logger())
        for days in (0, 1):
            with travel(served.old.moment + timedelta(days=days)):
                await run_jobs(served.runtime)
    assert [one for one in lines if one["log_level"] in ("warning", "error")] == []
    async with served.runtime.database.read() as tx:
        waiting = await tx.execute(text("SELECT topic FROM outbox WHERE handled_at IS NULL"))
        assert waiting.all() == []
    await assert_ledger_verifies(served.runtime)


async def run_jobs(runtime: Runtime) -> None:
    for job in sorted(jobs(), key=lambda one: one.name == "outbox"):  # last: others write to it
        await job.run(runtime)
