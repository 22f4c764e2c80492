"""The sandbox in the test's own process, as the service mounts and calls it in development."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from app.core.redis import connect
from app.integrations.wechat.client import WechatClient
from app.integrations.wechat.refusals import CodeInvalid, UserAtRisk, WechatUnavailable
from app.integrations.wechat_sandbox import state
from app.integrations.wechat_sandbox.routes import create_sandbox
from app.integrations.wechat_sandbox.state import sandbox_openid
from tests.faults.valkey import private_valkey
from tests.faults.valkeys import cluster

APPID = "wx-test-appid"
SECRET = "very-secret-appsecret"
SESSION, TOKEN = "/sns/jscode2session", "/cgi-bin/stable_token"
SEND = "/cgi-bin/message/subscribe/send"
MESSAGE: dict[str, Any] = {
    "touser": sandbox_openid("alice"),
    "template_id": "template",
    "data": {"thing1": {"value": "青年夜校"}},
}


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with private_valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey.url


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster(tmp_path_factory.mktemp("cluster"), masters=1, replicas=0) as one:
        yield one.url


@pytest.fixture(params=["text", "bytes", "cluster"])
async def redis(
    redis_url: str, cluster_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Redis]:
    """Connect with and without ``decode_responses``, and to a Cluster: the sandbox must not care.

    A Cluster of one node refuses commands and transactions with keys of two slots.
    """
    if request.param == "bytes":
        connection = Redis.from_url(redis_url)
    else:
        connection = connect(redis_url if request.param == "text" else cluster_url)
    for pattern in ("qx:sandbox:*", "qx:wechat:*"):
        async for key in connection.scan_iter(match=pattern):
            await connection.delete(key)
    for user in ("alice", "bob"):
        await state.State(connection).accept(sandbox_openid(user), "template", 100)
    yield connection
    await connection.aclose()


@pytest.fixture
async def http(redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    async with talking_to(redis) as http:
        yield http


def talking_to(redis: Redis) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_sandbox(redis, APPID, SecretStr(SECRET)))
    return httpx.AsyncClient(transport=transport, base_url="http://wechat.sandbox")


@pytest.fixture
def client(http: httpx.AsyncClient, redis: Redis) -> WechatClient:
    return WechatClient(http=http, appid=APPID, secret=SecretStr(SECRET), redis=redis)


async def code_of(http: httpx.AsyncClient, user: str) -> str:
    return str((await http.post("/codes", json={"user": user})).json()["code"])


async def test_the_client_works_without_a_network(
    client: WechatClient, http: httpx.AsyncClient
) -> None:
    code = await code_of(http, "bob")
    assert (await client.code_to_session(code)).openid == sandbox_openid("bob")
    with pytest.raises(CodeInvalid):
        await client.code_to_session(code)
    assert await client.access_token() == await client.access_token()
    assert (await client.call(SEND, MESSAGE))["errcode"] == 0


async def test_a_sandbox_without_redis_is_a_wechat_that_fails(tmp_path: Path) -> None:
    down = connect(f"unix://{tmp_path}/nobody")
    async with talking_to(down) as http:
        client = WechatClient(http=http, appid=APPID, secret=SecretStr(SECRET), redis=down)
        with pytest.raises(WechatUnavailable):
            await client.code_to_session("some-code")
        assert (await http.post("/codes", json={"user": "bob"})).status_code == 503
    await down.aclose()


async def test_a_session_has_the_shape_of_wechats(http: httpx.AsyncClient) -> None:
    query = {"appid": APPID, "secret": SECRET, "grant_type": "authorization_code"}
    query["js_code"] = await code_of(http, "alice")
    answer = (await http.get(SESSION, params=query)).json()
    assert set(answer) == {"openid", "session_key"}
    assert len(answer["session_key"]) == 24
    answer = (await http.get(SESSION, params=query)).json()
    assert answer["errcode"] == 40163
    assert answer["errmsg"].startswith("code been used, rid: ")


async def test_a_key_that_is_there_twice_is_refused_and_no_reply_is_stored(
    http: httpx.AsyncClient,
) -> None:
    headers = {"Content-Type": "application/json"}
    twice = '{"user": "alice", "user": "bob"}'
    refused = await http.post("/codes", content=twice, headers=headers)
    assert refused.status_code == 422
    token = '{"appid": "x", ' + json.dumps(token_request())[1:]
    assert (await http.post(TOKEN, content=token)).json()["errcode"] == 47001
    made = await http.post("/codes", json={"user": "alice"})
    session = await http.get(SESSION, params={"js_code": made.json()["code"]})
    granted = await http.post(TOKEN, json=token_request())
    replies = [refused, made, session, granted]
    assert [one.headers["cache-control"] for one in replies] == ["no-store"] * 4


async def test_an_expired_token_is_told_apart_from_a_wrong_one(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "TOKEN_TTL_S", 0)
    expired = (await http.post(TOKEN, json=token_request())).json()["access_token"]
    for token, errcode in ((expired, 42001), ("wrong", 40001), ("", 41001)):
        reply = await http.post(SEND, params={"access_token": token}, json=MESSAGE)
        assert reply.json()["errcode"] == errcode


async def test_forced_refreshes_are_rationed(http: httpx.AsyncClient, redis: Redis) -> None:
    forced = token_request(force_refresh=True)
    first = (await http.post(TOKEN, json=forced)).json()
    again = (await http.post(TOKEN, json=forced)).json()
    assert again["access_token"] == first["access_token"]
    for number in range(2, 22):
        await redis.delete("qx:sandbox:forced")
        reply = (await http.post(TOKEN, json=forced)).json()
        assert reply.get("errcode", 0) == (45009 if number == 21 else 0)


def token_request(**more: object) -> dict[str, object]:
    return {"grant_type": "client_credential", "appid": APPID, "secret": SECRET, **more}


@pytest.mark.parametrize(
    "body",
    [
        b'{"user": ""}',
        b'{"user": "%s"}' % (b"x" * 65),
        b'{"user": "nul\\u0000"}',
        b'{"user": "\\ud800"}',
        b'{"user": "bob", "\\ud800": 1}',
        b'{"user": "bob", "more": 1}',
        b'{"user": 7}',
        b"{}",
        b"[",
        b"\xff",
    ],
)
async def test_the_control_surface_refuses_what_is_no_user(
    http: httpx.AsyncClient, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/codes", "/script"):
        answer = await http.post(path, content=body, headers=headers)
        assert answer.status_code in {400, 422}


async def test_any_printable_name_is_a_user(client: WechatClient, http: httpx.AsyncClient) -> None:
    for user in ("王小明", "👩‍🚀", " x ", "x" * 64):
        session = await client.code_to_session(await code_of(http, user))
        assert session.openid == sandbox_openid(user)


async def test_wechats_paths_survive_odd_requests(http: httpx.AsyncClient) -> None:
    session = {"appid": APPID, "secret": SECRET, "grant_type": "authorization_code"}
    for query, errcode in (
        ({**session, "js_code": ""}, 41008),
        ({**session, "js_code": "nul\0"}, 40029),
        ({**session, "js_code": "x" * 5000}, 40029),
        ({**session, "grant_type": ""}, 40002),
        ({}, 40002),
    ):
        assert (await http.get(SESSION, params=query)).json()["errcode"] == errcode
    assert (await http.get(f"{SESSION}?js_code=%ED%A0%80&grant_type=%FF")).status_code == 200
    for body, errcode in ((b"", 44002), (b"[]", 47001), (b"[" * 9000, 47001), (b"\xff", 47001)):
        assert (await http.post(TOKEN, content=body)).json()["errcode"] == errcode


async def test_a_script_can_be_limited_to_a_user_and_cleared(
    client: WechatClient, http: httpx.AsyncClient
) -> None:
    script = {"path": SESSION, "errcode": 40226, "times": 5, "user": "alice"}
    assert (await http.post("/script", json=script)).json() == script
    await client.code_to_session(await code_of(http, "bob"))
    with pytest.raises(UserAtRisk):
        await client.code_to_session(await code_of(http, "alice"))
    assert (await http.delete("/script")).status_code == 204
    await client.code_to_session(await code_of(http, "alice"))
