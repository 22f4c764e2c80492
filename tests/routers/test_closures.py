"""Accounts: asked to be closed, kept after all, erased in time, and by WeChat's events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from app.core.clock import now
from app.core.db import Session
from app.integrations.wechat_sandbox.state import sandbox_openid
from app.jobs import closures as job
from app.jobs.outbox import relay
from app.models.closures import ClosureCause
from app.models.consents import ConsentDocument
from app.models.people import Role
from app.queries import people as people_queries
from app.runtime import Runtime
from app.services import closures, erasures
from app.services.closures import TO_CHANGE_ONES_MIND
from tests.conftest import ScratchFactory
from tests.engines import as_owner
from tests.factories.activities import make_activity
from tests.factories.attachments import attach
from tests.factories.clock import travel
from tests.factories.consents import agree
from tests.factories.erasures import names_of
from tests.factories.http import assert_refused, bearer, keyed, log_in
from tests.factories.inbox import inbox
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_person, make_with_role
from tests.factories.refusals import Ask as Refused
from tests.integrations.test_wechat_pushes import AES_KEY, TOKEN, signed
from tests.routers.test_audit import entries
from tests.security.world import Ask, World

ME, CLOSURE, REOPENING = "/api/v1/me", "/api/v1/me/closure", "/api/v1/me/reopening"
MATRIX = """
operation       rule    nobody alice bob  counter rival sibling parent auditor admin outsider
closeMyAccount  person  401    200   200  200     200   200     200    200     409   200       409=roles.last_administrator
getMyClosure    person  401    200   404  404     404   404     404    404     404   404       404=closures.not_found
keepMyAccount   person  401    204   404  404     404   404     404    404     404   404       404=closures.not_found
"""  # noqa: E501 - a table
HERS = {"closures": "person_id = :alice", "ledger_redactions": "person_id = :alice"}
BESIDE_POINTS = {"closures"}
LONG_ENOUGH = TO_CHANGE_ONES_MIND + timedelta(minutes=1)


async def _closing(world: World) -> Ask:
    reply = await world.api.delete(ME, headers=keyed(world.alice))
    assert reply.status_code in {200, 409}
    return Ask()


REQUESTS = {"getMyClosure": _closing, "keepMyAccount": _closing}


async def _closed_twice(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person = await make_person(runtime)
    due_at = (await api.delete(ME, headers=keyed(person))).json()["due_at"]
    return Refused(person, "DELETE", "/me", {"closes_at": due_at})


async def test_the_last_administrator_of_a_root_appoints_another_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    last = await make_with_role(runtime, Role.administrator, org=org.id)
    assert_refused(await api.delete(ME, headers=keyed(last)), 409, "roles.last_administrator")
    assert (await agree(api, last, ConsentDocument.privacy)).status_code == 200
    withdrawn = await agree(api, last, ConsentDocument.privacy, given=False)
    assert_refused(withdrawn, 409, "roles.last_administrator")
    with capture_logs() as logs:
        async with runtime.database.transaction() as tx:
            await closures.close_at_once(tx, last.id, ClosureCause.wechat_revoked)
            await tx.rollback()
    alerts = [one for one in logs if one.get("alert")]
    assert [(one["event"], one["org_id"]) for one in alerts] == [
        ("closures.last_administrator", str(org.id))
    ]
    await make_with_role(runtime, Role.administrator, org=org.id)
    assert (await api.delete(ME, headers=keyed(last))).status_code == 200
    assert (await agree(api, last, ConsentDocument.privacy, given=False)).status_code == 200


async def _without_consent(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person = await make_person(runtime)
    for given in (True, False):
        await agree(api, person, ConsentDocument.terms, given=given)
    return Refused(person, "POST", "/me/reopening", {"document": "terms"})


REFUSED = {"closures.pending": _closed_twice, "closures.consent_missing": _without_consent}


async def erase(runtime: Runtime) -> int:
    """Run the job as if the days to change one's mind were over."""
    with travel(now() + LONG_ENOUGH):
        return await job.erase(runtime)


async def test_an_account_can_be_kept_until_it_is_closed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime, "李雷")
    assert_refused(await api.get(CLOSURE, headers=person.headers), 404, "closures.not_found")
    asked = await api.delete(ME, headers=keyed(person))
    assert asked.status_code == 200, asked.text
    assert (await api.get(CLOSURE, headers=person.headers)).json() == asked.json()
    assert (await inbox(api, runtime, person))[0]["kind"] == "closure_asked"
    await job.erase(runtime)
    assert await names_of(runtime, person.id) == ["李雷"], "there are days to change one's mind"
    key = keyed(person)
    for reply in [await api.post(REOPENING, headers=key) for _ in range(2)]:  # and its replay
        assert (reply.status_code, reply.content) == (204, b"")
        assert "content-type" not in reply.headers
    await erase(runtime)
    assert await names_of(runtime, person.id) == ["李雷"]
    assert (await api.delete(ME, headers=keyed(person))).status_code == 200


async def test_a_closed_account_ends_its_logins_and_is_nobodys(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    login = await log_in(api, user := f"closing-{now().timestamp()}")
    person = TestPerson(UUID(login["person"]["id"]), "", bearer(login["access_token"]))
    await api.delete(ME, headers=keyed(person))
    await erase(runtime)
    assert_refused(await api.get("/api/v1/me", headers=person.headers), 401, "auth.token_invalid")
    refreshed = await api.post(
        "/api/v1/auth/refresh", json={"refresh_token": login["refresh_token"]}
    )
    assert_refused(refreshed, 401, "auth.token_invalid")
    again = await log_in(api, user)
    assert (again["is_new"], again["person"]["id"] != login["person"]["id"]) == (True, True)
    assert await names_of(runtime, person.id) == ["已注销用户"]


async def test_wechats_events_close_an_account_at_once(scratch: ScratchFactory) -> None:
    """Twice, late and forged ones change nothing, nor those of the future."""
    settings = {"wechat_push_token": TOKEN, "wechat_push_aes_key": AES_KEY}
    async with scratch(**settings, public_url="http://test") as app:
        runtime: Runtime = app.state.runtime
        transport = httpx.ASGITransport(app)
        assert runtime.sandbox is not None
        pusher = runtime.sandbox.state.pusher
        pusher.transport = transport

        async def push(user: str, event: str, at: float) -> str:
            told = {"ToUserName": "gh_1", "Event": event, "OpenID": sandbox_openid(user)}
            return str((await pusher.push(told | {"CreateTime": int(at)})).text)

        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            for event in ("user_authorization_revoke", "user_authorization_cancellation"):
                first = UUID((await log_in(api, event))["person"]["id"])
                long_ago = "UPDATE people SET created_at = now() - interval '2 hours'"
                await as_owner(runtime.settings, f"{long_ago} WHERE id = '{first}'")
                at = now().timestamp() - 3600
                forged = {"Event": event, "OpenID": sandbox_openid(event), "CreateTime": int(at)}
                reply = await api.post(
                    "/api/v1/wechat/pushes", params=signed(TOKEN, "x"), json=forged
                )
                assert_refused(reply, 403, "pushes.not_wechat")
                assert await push(event, event, at - 7200) == "success"  # before it was registered
                assert await push(event, event, now().timestamp() + 400) == "success"  # to come
                assert await push("a stranger", event, at) == "success"
                assert await job.erase(runtime) == 0
                at = now().timestamp() + 200  # WeChat's clock may be ahead of ours
                assert [await push(event, event, at) for _ in "ab"] == ["success"] * 2
                assert await job.erase(runtime) == 1
                assert await names_of(runtime, first) == ["已注销用户"]
                second = UUID((await log_in(api, event))["person"]["id"])
                await push(event, event, at - 3800)
                assert (await job.erase(runtime), second == first) == (0, False)


async def test_one_that_fails_holds_up_nobody(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await make_person(runtime, name) for name in ("李雷", "韩梅梅")]
    for person in people:
        assert (await api.delete(ME, headers=keyed(person))).status_code == 200
    real = erasures.erase

    async def fail(tx: Session, erased: Sequence[UUID], at: datetime) -> None:
        if people[0].id in erased:
            raise ValueError("a bug")
        await real(tx, erased, at)

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(erasures, "erase", fail)
        await erase(runtime)
    assert await names_of(runtime, *(one.id for one in people)) == ["李雷", "已注销用户"]
    assert {one["event"] for one in logs} >= {"erasure_failed"}
    await erase(runtime)
    assert await names_of(runtime, people[0].id) == ["已注销用户"]


async def test_staff_lose_their_roles_and_what_is_the_organisations_stays(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, administrator = [
        await make_with_role(runtime, role, org=org.id)
        for role in (Role.organizer, Role.administrator)
    ]
    activity = await make_activity(runtime, org=org)
    cover = await attach(api, organizer, ("activity", activity.id))
    await api.delete(ME, headers=keyed(organizer))
    await erase(runtime)
    await relay(runtime)
    assert (await api.get(cover["url"])).status_code == 200
    told = [(one["verb"], one["actor"]) for one in await entries(api, administrator, org)]
    assert ("dismissed", None) in told
    async with runtime.database.read() as tx:
        assert await people_queries.roles_of(tx, organizer.id) == []
