"""Logging in through the sandbox WeChat, refreshing, logging out."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.clock import now
from app.core.settings import Settings
from app.main import create_app
from app.runtime import Runtime
from app.services import auth
from tests.factories.http import assert_refused, bearer, log_in, wechat_code
from tests.factories.logins import age, refresh
from tests.factories.people import make_person
from tests.security.schema_world import MANY, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation     rule    nobody alice bob  counter rival sibling parent auditor admin outsider
logIn         anyone  200    200   200  200     200   200     200    200     200   200
refreshLogin  anyone  200+   200+  200+ 200+    200+  200+    200+   200+    200+  200+
logOut        person  401    204   204  204     204   204     204    204     204   204
"""
HERS = {
    "token_families": "person_id = :alice",
    "refresh_tokens": "family_id IN (SELECT id FROM token_families WHERE person_id = :alice)",
}
BEYOND_THE_SCHEMA = {"auth.code_invalid"}


async def _log_in(world: World) -> Ask:
    return Ask(body={"code": await wechat_code(world.api, f"user-{uuid4()}")})


async def _her_login(world: World) -> Ask:
    """Log Alice in once more: the login that she calls with must stay alive."""
    return Ask(body={"refresh_token": (await log_in(world.api, world.user))["refresh_token"]})


REQUESTS = {"logIn": _log_in, "refreshLogin": _her_login, "logOut": _her_login}


async def known(setup: Setup) -> Known:
    return {
        "refresh_token": [(await log_in(setup.api))["refresh_token"] for _ in range(MANY)],
        "code": [await wechat_code(setup.api, f"{setup.role}-{n}") for n in range(MANY)],
    }


@pytest.fixture
async def elsewhere(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of what could be another process: it shares only the engines with ``api``."""
    other = create_app(settings)
    async with other.router.lifespan_context(other):
        transport = httpx.ASGITransport(other, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


async def test_a_first_login_makes_a_resident(api: httpx.AsyncClient) -> None:
    code = await wechat_code(api, f"newcomer-{uuid4()}")

    response = await api.post(f"{API}/auth/wechat", json={"code": code})

    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "person",
        "is_new",
    }
    assert body["token_type"] == "bearer"
    assert body["expires_in"] == 900
    assert body["is_new"] is True
    assert body["person"].keys() == {"id", "display_name"}
    assert str(UUID(body["person"]["id"])) == body["person"]["id"]
    me = await api.get(f"{API}/me", headers=bearer(body["access_token"]))
    assert me.json()["id"] == body["person"]["id"]
    assert me.json()["roles"] == []


async def test_a_second_login_finds_the_same_person(api: httpx.AsyncClient) -> None:
    user = f"regular-{uuid4()}"

    first = await log_in(api, user)
    second = await log_in(api, user)

    assert (first["is_new"], second["is_new"]) == (True, False)
    assert first["person"] == second["person"]


async def test_nothing_of_wechats_session_leaves_the_service(api: httpx.AsyncClient) -> None:
    code = await wechat_code(api, f"private-{uuid4()}")

    response = await api.post(f"{API}/auth/wechat", json={"code": code})

    assert "openid" not in response.text
    assert "session_key" not in response.text


async def test_a_code_works_once(api: httpx.AsyncClient) -> None:
    code = await wechat_code(api, f"once-{uuid4()}")
    first = await api.post(f"{API}/auth/wechat", json={"code": code})

    second = await api.post(f"{API}/auth/wechat", json={"code": code})

    assert first.status_code == 200
    assert_refused(second, 401, "auth.code_invalid")


async def test_an_unknown_code_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.post(f"{API}/auth/wechat", json={"code": "0" * 32})

    assert_refused(response, 401, "auth.code_invalid")


async def test_a_refresh_gives_a_successor_of_the_same_shape(api: httpx.AsyncClient) -> None:
    login = await log_in(api)

    response = await refresh(api, login["refresh_token"])

    assert response.status_code == 200
    body = response.json()
    assert body.keys() == login.keys()
    assert body["refresh_token"] != login["refresh_token"]
    assert body["person"] == login["person"]
    assert body["is_new"] is False
    me = await api.get(f"{API}/me", headers=bearer(body["access_token"]))
    assert me.json()["id"] == login["person"]["id"]


async def test_a_spent_refresh_token_kills_its_whole_family(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    login = await log_in(api)
    successor = (await refresh(api, login["refresh_token"])).json()
    await age(runtime, login["refresh_token"])

    reused = await refresh(api, login["refresh_token"])

    assert_refused(reused, 401, "auth.refresh_reused")
    assert_refused(await refresh(api, successor["refresh_token"]), 401, "auth.token_invalid")
    for token in (login["access_token"], successor["access_token"]):
        assert_refused(await api.get(f"{API}/me", headers=bearer(token)), 401, "auth.token_invalid")


async def test_one_killed_family_leaves_the_persons_other_logins_alone(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    user = f"two-phones-{uuid4()}"
    phone, tablet = await log_in(api, user), await log_in(api, user)
    killed = (await refresh(api, phone["refresh_token"])).json()
    await age(runtime, phone["refresh_token"])

    await refresh(api, phone["refresh_token"])

    assert (await refresh(api, killed["refresh_token"])).status_code == 401
    assert (await refresh(api, tablet["refresh_token"])).status_code == 200
    me = await api.get(f"{API}/me", headers=bearer(tablet["access_token"]))
    assert me.status_code == 200


async def test_an_unknown_refresh_token_is_no_reuse(api: httpx.AsyncClient) -> None:
    assert_refused(await refresh(api, "never-issued"), 401, "auth.token_invalid")


async def test_an_expired_refresh_token_is_refused(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REFRESH_LIFETIME", timedelta(minutes=-1))
    login = await log_in(api)

    assert_refused(await refresh(api, login["refresh_token"]), 401, "auth.token_invalid")


async def test_an_access_token_is_no_refresh_token(api: httpx.AsyncClient) -> None:
    login = await log_in(api)

    assert_refused(await refresh(api, login["access_token"][:256]), 401, "auth.token_invalid")
    as_access = await api.get(f"{API}/me", headers=bearer(login["refresh_token"]))
    assert_refused(as_access, 401, "auth.token_invalid")


async def test_logging_out_kills_the_access_token_at_once(api: httpx.AsyncClient) -> None:
    login = await log_in(api)
    mine = bearer(login["access_token"])
    assert (await api.get(f"{API}/me", headers=mine)).status_code == 200

    response = await api.post(
        f"{API}/auth/logout", headers=mine, json={"refresh_token": login["refresh_token"]}
    )

    assert response.status_code == 204
    assert response.content == b""
    assert_refused(await api.get(f"{API}/me", headers=mine), 401, "auth.token_invalid")
    assert_refused(await refresh(api, login["refresh_token"]), 401, "auth.token_invalid")


async def test_a_logout_in_another_process_counts_here(
    api: httpx.AsyncClient, elsewhere: httpx.AsyncClient
) -> None:
    login = await log_in(api)
    mine = bearer(login["access_token"])
    assert (await api.get(f"{API}/me", headers=mine)).status_code == 200

    await elsewhere.post(
        f"{API}/auth/logout", headers=mine, json={"refresh_token": login["refresh_token"]}
    )

    assert_refused(await api.get(f"{API}/me", headers=mine), 401, "auth.token_invalid")


async def test_a_family_killed_in_another_process_is_dead_here(
    api: httpx.AsyncClient, elsewhere: httpx.AsyncClient, runtime: Runtime
) -> None:
    login = await log_in(api)
    successor = bearer((await refresh(api, login["refresh_token"])).json()["access_token"])
    await age(runtime, login["refresh_token"])
    assert (await api.get(f"{API}/me", headers=successor)).status_code == 200

    await refresh(elsewhere, login["refresh_token"])

    assert_refused(await api.get(f"{API}/me", headers=successor), 401, "auth.token_invalid")


async def test_a_logout_with_anothers_refresh_token_ends_nothing_of_theirs(
    api: httpx.AsyncClient,
) -> None:
    alice, bob = await log_in(api), await log_in(api)

    response = await api.post(
        f"{API}/auth/logout",
        headers=bearer(bob["access_token"]),
        json={"refresh_token": alice["refresh_token"]},
    )

    assert response.status_code == 204
    me = await api.get(f"{API}/me", headers=bearer(alice["access_token"]))
    assert me.status_code == 200
    assert (await refresh(api, alice["refresh_token"])).status_code == 200


async def test_a_logout_needs_a_login(api: httpx.AsyncClient) -> None:
    login = await log_in(api)

    response = await api.post(f"{API}/auth/logout", json={"refresh_token": login["refresh_token"]})

    assert_refused(response, 401, "auth.login_required")
    assert response.headers["www-authenticate"] == "Bearer"
    assert (await refresh(api, login["refresh_token"])).status_code == 200


async def test_a_refusal_speaks_chinese_unless_english_is_preferred(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    async def sentence(language: str | None) -> str:
        headers = {"Accept-Language": language} if language else {}
        return str((await api.get(f"{API}/me", headers=headers)).json()["msg"])

    zh, en = "请先登录", "Log in first."
    assert await sentence(None) == zh
    assert await sentence("zh-CN,zh;q=0.9,en;q=0.8") == zh
    assert await sentence("fr, de") == zh
    assert await sentence("en") == en
    assert await sentence("en-GB,en;q=0.9,zh;q=0.5") == en
    assert await sentence("zh;q=0.1,en;q=0.2") == en
    assert await sentence(";;;q=x,,en;q=y") == zh


async def test_each_login_of_a_person_is_its_own_family(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    orphan = runtime.tokens.sign(person.id, uuid4(), now())

    # A verified token names its person; an unknown family is simply not revoked.
    response = await api.get(f"{API}/me", headers=bearer(orphan))

    assert response.json()["id"] == str(person.id)
