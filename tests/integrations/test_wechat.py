"""The WeChat client against the sandbox over real HTTP, with a real Valkey.

Every test ends with a search for secrets in the log and in the refusals it saw.
"""

import asyncio
import itertools
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import structlog
import uvicorn
from pydantic import SecretStr

from app.core import redis as core_redis
from app.core.errors import Refusal
from app.integrations.wechat import client as wechat_client
from app.integrations.wechat import refusals
from app.integrations.wechat.client import WechatClient
from app.integrations.wechat.refusals import (
    CodeInvalid,
    UserAtRisk,
    WechatLimited,
    WechatUnavailable,
)
from app.integrations.wechat_sandbox import state
from app.integrations.wechat_sandbox.routes import create_sandbox
from app.integrations.wechat_sandbox.state import sandbox_openid
from tests.faults.valkey import private_valkey

APPID = "wx-test-appid"
SECRET = "very-secret-appsecret"
SESSION, TOKEN = "/sns/jscode2session", "/cgi-bin/stable_token"
SEND = "/cgi-bin/message/subscribe/send"
WXACODE = "/wxa/getwxacodeunlimit"
MESSAGE: dict[str, Any] = {
    "touser": sandbox_openid("alice"),
    "template_id": "template",
    "data": {"thing1": {"value": "青年夜校"}},
}
R = TypeVar("R", bound=Refusal)
users = (f"user-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with private_valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey.url


@pytest.fixture(scope="module")
async def redis(redis_url: str) -> AsyncIterator[core_redis.Redis]:
    connection = core_redis.connect(redis_url)
    yield connection
    await connection.aclose()


@pytest.fixture(scope="module")
async def sandbox_url(redis: core_redis.Redis) -> AsyncIterator[str]:
    app = create_sandbox(redis, APPID, SecretStr(SECRET))
    # No "auto": uvicorn's choice would import the deprecated websockets.legacy.
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@dataclass
class Lab:
    """A client, the sandbox's control surface, and everything that must stay secret."""

    client: WechatClient
    http: httpx.AsyncClient
    redis: core_redis.Redis
    logged: structlog.testing.LogCapture
    stdlib_log: pytest.LogCaptureFixture
    asked: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    secrets: set[str] = field(default_factory=lambda: {SECRET})

    async def code(self, user: str) -> str:
        reply = await self.http.post("/codes", json={"user": user})
        code = str(reply.raise_for_status().json()["code"])
        self.secrets |= {code, sandbox_openid(user)}
        return code

    async def script(self, path: str, errcode: int, times: int = 1, **more: str) -> None:
        body = {"path": path, "errcode": errcode, "times": times, **more}
        (await self.http.post("/script", json=body)).raise_for_status()

    async def refused(self, kind: type[R], trying: Awaitable[object]) -> R:
        with pytest.raises(kind) as caught:
            await trying
        self.refusals.append(caught.value)
        return caught.value

    def leaks(self) -> set[str]:
        records = self.stdlib_log.get_records("call")
        told = [repr(self.logged.entries), *map(logging.Formatter().format, records)]
        for refusal in self.refusals:
            told += [repr(refusal), *traceback.format_exception(refusal)]
        text = "".join(told)
        return {secret for secret in self.secrets if secret in text}

    @property
    def last(self) -> dict[str, Any]:
        return dict(self.logged.entries[-1])


@pytest.fixture
async def lab(
    sandbox_url: str,
    redis: core_redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Lab]:
    for pattern in ("qx:sandbox:*", "qx:wechat:*"):
        async for key in redis.scan_iter(match=pattern):
            await redis.delete(key)
    for user in ("alice", "bob"):
        await state.State(redis).accept(sandbox_openid(user), "template", 100)
    # As app.core.logging does: httpx and uvicorn log whole addresses.
    caplog.set_level(logging.WARNING, "httpx")
    caplog.set_level(logging.WARNING, "httpcore")
    # Last, since each set_level sets the level of caplog's handler, too.
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "disabled", True)
    logged = structlog.testing.LogCapture()
    everything = structlog.make_filtering_bound_logger(0)
    logger = structlog.wrap_logger(None, [logged], wrapper_class=everything)
    monkeypatch.setattr(wechat_client, "log", logger)
    monkeypatch.setattr(refusals, "log", logger)
    asked: list[str] = []

    async def note(request: httpx.Request) -> None:
        asked.append(request.url.path)

    async with httpx.AsyncClient(base_url=sandbox_url, event_hooks={"request": [note]}) as http:
        client = WechatClient(http=http, appid=APPID, secret=SecretStr(SECRET), redis=redis)
        lab = Lab(client, http, redis, logged, caplog, asked)
        yield lab
        lab.secrets |= {token async for token in _tokens(redis)}
        assert lab.leaks() == set()


async def _tokens(redis: core_redis.Redis) -> AsyncIterator[str]:
    for key in ("qx:sandbox:token", f"qx:wechat:token:{APPID}"):
        if token := await redis.get(key):
            yield str(token)


@asynccontextmanager
async def answering(raw: bytes | None) -> AsyncIterator[str]:
    """Run a server that sends the same bytes to everybody; with None it never answers."""
    release = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if raw is None:
            await release.wait()
        else:
            writer.write(raw)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        release.set()
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def client_of(lab: Lab, address: str) -> AsyncIterator[WechatClient]:
    async with httpx.AsyncClient(base_url=address) as http:
        yield WechatClient(http=http, appid=APPID, secret=SecretStr(SECRET), redis=lab.redis)


# Mini-program codes


async def test_a_mini_program_code_is_a_picture(lab: Lab) -> None:
    picture = await lab.client.mini_program_code("x" * 32)
    assert picture.startswith(b"\x89PNG")
    await lab.script(WXACODE, 40001)  # once: the token is fetched again
    assert await lab.client.mini_program_code("x" * 32) == picture
    assert (await lab.refused(WechatUnavailable, lab.client.mini_program_code("x" * 33))).errcode
    await lab.script(WXACODE, 45011)
    await lab.refused(WechatLimited, lab.client.mini_program_code("x"))


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/json"])
async def test_a_failure_is_json_whatever_its_content_type(lab: Lab, content_type: str) -> None:
    await lab.client.access_token()
    raw = b'{"errcode":45009}'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(raw)}\r\n\r\n"
    async with (
        answering(head.encode() + raw) as address,
        client_of(lab, address) as client,
    ):
        refused = await lab.refused(WechatUnavailable, client.mini_program_code("x"))
    assert refused.errcode == 45009


# Sessions


async def test_a_code_gives_a_session_although_errcode_is_absent(lab: Lab) -> None:
    code = await lab.code("alice")
    session = await lab.client.code_to_session(code)
    lab.secrets.add(session.session_key)
    assert session.openid == sandbox_openid("alice")
    assert len(session.openid) == 28
    assert session.openid.startswith("o")
    assert session.unionid is None
    assert repr(session) == "WechatSession()"


async def test_a_used_an_unknown_an_expired_and_a_malformed_code_are_refused(lab: Lab) -> None:
    used, expired = await lab.code("alice"), await lab.code("alice")
    await lab.client.code_to_session(used)
    assert 290 < await lab.redis.ttl(f"qx:sandbox:code:{expired}") <= 300
    await lab.redis.expire(f"qx:sandbox:code:{expired}", 0)
    unknown = "no-such-code-at-all"
    lab.secrets.add(unknown)
    for code, errcode in ((used, 40163), (expired, 40029), (unknown, 40029)):
        await lab.refused(CodeInvalid, lab.client.code_to_session(code))
        assert (last := lab.last)["errcode"] == errcode
        assert len(last["rid"]) == 26
    before = len(lab.asked)
    for malformed in ("", "a" * 257, "with space", "\ud800surrogate", "nul\0byte", "二维码"):
        await lab.refused(CodeInvalid, lab.client.code_to_session(malformed))
    assert len(lab.asked) == before


async def test_fifty_concurrent_uses_of_one_code_give_one_session(lab: Lab) -> None:
    assert await winners(lab) == 1


async def test_the_race_above_is_a_real_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: reading and marking in two commands lets several through."""
    second_has_read = asyncio.Event()
    readers = itertools.count(1)

    async def spend(self: state.State, code: str) -> None:
        await self.owner(code)
        if next(readers) == 2:
            second_has_read.set()
        await second_has_read.wait()
        await lab.redis.set(f"qx:sandbox:code:{code}", "", keepttl=True)

    monkeypatch.setattr(state.State, "spend", spend)
    assert await winners(lab) > 1


async def winners(lab: Lab) -> int:
    code = await lab.code(next(users))
    tries = (lab.client.code_to_session(code) for _ in range(50))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    lost = [outcome for outcome in outcomes if isinstance(outcome, CodeInvalid)]
    lab.refusals += lost
    won = [outcome for outcome in outcomes if isinstance(outcome, wechat_client.WechatSession)]
    lab.secrets |= {session.session_key for session in won}
    assert len(won) + len(lost) == 50
    return len(won)


async def test_more_than_a_hundred_logins_a_minute_are_limited(lab: Lab) -> None:
    user = next(users)
    codes = [await lab.code(user) for _ in range(101)]
    await asyncio.gather(*map(lab.client.code_to_session, codes[:100]))
    refusal = await lab.refused(WechatLimited, lab.client.code_to_session(codes[100]))
    assert (refusal.status, refusal.retry_after) == (429, 60)
    await lab.client.code_to_session(await lab.code(next(users)))


# Error codes


@pytest.mark.parametrize(
    ("errcode", "kind", "status", "event"),
    [
        (40029, CodeInvalid, 401, "wechat.code_refused"),
        (40163, CodeInvalid, 401, "wechat.code_refused"),
        (41008, CodeInvalid, 401, "wechat.code_refused"),
        (40226, UserAtRisk, 403, "wechat.user_at_risk"),
        (45011, WechatLimited, 429, "wechat.limited"),
        (45009, WechatUnavailable, 503, "wechat.daily_quota"),
        *[
            (errcode, WechatUnavailable, 503, "wechat.misconfigured")
            for errcode in (40013, 40125, 40164, 40243, 48001, 50002, 40001, 40014, 42001)
        ],
        (44002, WechatUnavailable, 503, "wechat.our_bug"),
        (47001, WechatUnavailable, 503, "wechat.our_bug"),
        (89503, WechatUnavailable, 503, "wechat.refused"),
    ],
)
async def test_each_error_code_has_its_refusal(
    lab: Lab, errcode: int, kind: type[Refusal], status: int, event: str
) -> None:
    code = await lab.code("alice")
    await lab.script(SESSION, errcode)
    refusal = await lab.refused(kind, lab.client.code_to_session(code))
    assert refusal.status == status
    assert (lab.last["event"], lab.last["errcode"]) == (event, errcode)
    alarming = event in {"wechat.daily_quota", "wechat.misconfigured", "wechat.our_bug"}
    assert lab.last.get("alert", False) is alarming
    assert (lab.last["log_level"] == "error") is alarming
    assert (refusal.retry_after is not None) is (status in {429, 503})
    assert lab.asked.count(SESSION) == 1
    await lab.client.code_to_session(code)


def test_the_daily_quota_lasts_until_midnight_in_shanghai() -> None:
    assert refusals.until_midnight(datetime(2026, 11, 3, 15, 59, 59, 1, tzinfo=UTC)) == 1
    assert refusals.until_midnight(datetime(2026, 11, 3, 16, 0, tzinfo=UTC)) == 86_400


async def test_a_busy_wechat_is_asked_three_times(lab: Lab) -> None:
    code = await lab.code("alice")
    await lab.script(SESSION, -1, times=2)
    await lab.client.code_to_session(code)
    assert lab.asked.count(SESSION) == 3
    await lab.script(SESSION, -1, times=3)
    await lab.refused(WechatUnavailable, lab.client.code_to_session(await lab.code("alice")))
    assert lab.asked.count(SESSION) == 6


@pytest.mark.parametrize(
    ("appid", "secret", "errcode"),
    [("wx-other", SECRET, 40013), (APPID, "wrong-secret", 40125)],
)
async def test_wrong_credentials_alert_the_operator(
    lab: Lab, appid: str, secret: str, errcode: int
) -> None:
    lab.secrets.add(secret)
    client = WechatClient(http=lab.http, appid=appid, secret=SecretStr(secret), redis=lab.redis)
    code = await lab.code("alice")
    for trying in (client.code_to_session(code), client.access_token()):
        await lab.refused(WechatUnavailable, trying)
        assert (lab.last["errcode"], lab.last["alert"]) == (errcode, True)


# The access token


async def test_the_token_is_fetched_once_and_losing_the_cache_is_harmless(lab: Lab) -> None:
    tokens = await asyncio.gather(*(lab.client.access_token() for _ in range(20)))
    assert len(set(tokens)) == 1
    assert lab.asked == [TOKEN]
    assert 6800 < await lab.redis.ttl(f"qx:wechat:token:{APPID}") <= 6900
    await lab.redis.delete(f"qx:wechat:token:{APPID}")
    assert await lab.client.access_token() == tokens[0]
    assert lab.asked == [TOKEN, TOKEN]


async def test_without_redis_the_token_is_held_in_the_process(lab: Lab, tmp_path: Path) -> None:
    down = core_redis.connect(f"unix://{tmp_path}/nobody")
    client = WechatClient(http=lab.http, appid=APPID, secret=SecretStr(SECRET), redis=down)
    assert await client.access_token() == await client.access_token()
    assert lab.asked == [TOKEN]
    await lab.script(SEND, 40001)
    await client.call(SEND, MESSAGE)
    assert not await lab.redis.exists("qx:sandbox:forced")
    await down.aclose()


async def test_a_refused_token_is_renewed_once_and_by_force_only_if_it_must(lab: Lab) -> None:
    old = await lab.client.access_token()
    lab.secrets.add(old)
    await lab.script(SEND, 40001)
    assert (await lab.client.call(SEND, MESSAGE))["errcode"] == 0
    assert lab.asked[1:] == ["/script", SEND, TOKEN, TOKEN, SEND]
    new = await lab.client.access_token()
    assert new != old

    lab.asked.clear()
    await lab.script(SEND, 42001, times=2)
    refusal = await lab.refused(WechatUnavailable, lab.client.call(SEND, MESSAGE))
    assert refusal.errcode == 42001
    assert lab.last["alert"] is True
    # The second force within 30 s is not even asked for.
    assert lab.asked == ["/script", SEND, TOKEN, SEND]


async def test_concurrent_calls_with_a_stale_token_renew_it_together(lab: Lab) -> None:
    await lab.redis.set(f"qx:wechat:token:{APPID}", "stale-token", ex=60)
    lab.secrets.add("stale-token")
    await asyncio.gather(*(lab.client.call(SEND, MESSAGE) for _ in range(20)))
    assert lab.asked.count(TOKEN) == 1
    assert not await lab.redis.exists("qx:sandbox:forced")


async def test_a_call_tells_the_code_that_only_its_path_knows(lab: Lab) -> None:
    await lab.script(SEND, 43101, user="alice")
    others = {**MESSAGE, "touser": sandbox_openid("bob")}
    assert (await lab.client.call(SEND, others))["errcode"] == 0
    refusal = await lab.refused(WechatUnavailable, lab.client.call(SEND, MESSAGE))
    assert refusal.errcode == 43101
    odd = {**MESSAGE, "data": {"thing1": {"value": "\ud800"}}}
    assert (await lab.client.call(SEND, odd))["errcode"] == 0


# A WeChat that fails


def reply(body: bytes, *, status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    size = str(len(body)).encode()
    return b"HTTP/1.1 %s\r\n%sContent-Length: %s\r\n\r\n%s" % (status, more, size, body)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage without a status line\r\n\r\n",
        reply(b"<html>busy</html>"),
        reply(b"[]"),
        reply(b"{}"),
        reply(b"[" * 60_000),
        reply(b"\xff\xfe"),
        reply(b'{"errcode": "40029"}'),
        reply(b'{"openid": "\\ud800", "session_key": "k"}'),
        reply(b'{"openid": 7, "session_key": "k"}'),
        reply(b'{"openid": "o"}'),
        reply(b'{"pad": "' + b"x" * 70_000 + b'"}'),
        reply(b"\x1f\x8b", more=b"Content-Encoding: gzip\r\n"),
        reply(b"{}", status=b"500 Internal Server Error"),
        reply(b"", status=b"502 Bad Gateway"),
        reply(b"", status=b"302 Found", more=b"Location: /elsewhere\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
    ],
    ids=range(17),
)
async def test_an_unusable_answer_is_wechat_unavailable(lab: Lab, raw: bytes) -> None:
    code = await lab.code("alice")
    async with answering(raw) as address, client_of(lab, address) as client:
        for trying in (client.code_to_session(code), client.call(SEND, MESSAGE)):
            refusal = await lab.refused(WechatUnavailable, trying)
            assert refusal.retry_after == 5
            assert refusal.__context__ is None


async def test_a_hanging_wechat_is_left(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat_client, "TOTAL_S", 0.2)
    async with answering(None) as address, client_of(lab, address) as client:
        await lab.refused(WechatUnavailable, client.code_to_session(await lab.code("alice")))
        # Twenty wait for one lock: they give up together, not one after the other.
        waiting = (lab.refused(WechatUnavailable, client.access_token()) for _ in range(20))
        async with asyncio.timeout(3):
            await asyncio.gather(*waiting)


async def test_nobody_listening_is_wechat_unavailable(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with client_of(lab, address) as client:
        await lab.refused(WechatUnavailable, client.code_to_session(await lab.code("alice")))
    assert lab.last["reason"] == "ConnectError"


async def test_the_search_for_secrets_finds_them(lab: Lab) -> None:
    """Negative control of the check that ends every test."""
    careless = f"https://wechat/?secret={SECRET}"
    for logger in (wechat_client.log, logging.getLogger("careless")):
        logger.info(careless)
        assert lab.leaks() == {SECRET}
        lab.logged.entries.clear()
        lab.stdlib_log.get_records("call").clear()
    lab.refusals.append(CodeInvalid())
    lab.refusals[-1].__cause__ = ValueError(careless)
    assert lab.leaks() == {SECRET}
    lab.refusals.clear()
