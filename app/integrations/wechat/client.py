"""The client: login sessions, the access token, and server calls that need it.

WeChat takes secrets in query strings, so neither URLs nor httpx exceptions may reach a log:
failures are raised outside of ``except`` blocks, without a context.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx
import structlog
from pydantic import SecretStr
from redis.exceptions import RedisError

from app.core.redis import Redis
from app.integrations.wechat.refusals import (
    TOKEN_REFUSED,
    Answer,
    CodeInvalid,
    refusal,
    unavailable,
)

log = structlog.get_logger(__name__)

SESSION_PATH = "/sns/jscode2session"
TOKEN_PATH = "/cgi-bin/stable_token"  # noqa: S105 - a path
MEDIA_CHECK_PATH = "/wxa/media_check_async"
SEND_PATH = "/cgi-bin/message/subscribe/send"
WXACODE_PATH = "/wxa/getwxacodeunlimit"
# Of media_check_async: a picture, the second version, shown as somebody's own data.
PICTURE = {"media_type": 2, "version": 2, "scene": 1}

CONNECT_S = 1.0
# For one request with all retries: clients time out soon after.
TOTAL_S = 3.0
BACKOFF_S = (0.05, 0.15)
MAX_REPLY_BYTES = 64 * 1024
MAX_PICTURE_BYTES = 512 * 1024
# WeChat issues the next token five minutes before the end; both are valid meanwhile.
TOKEN_MARGIN_S = 300
TOKEN_MIN_CACHE_S = 10
# WeChat allows 20 forced refreshes a day, at least 30 s apart.
FORCE_GAP_S = 30
BUSY = -1
MAX_TRACE_ID = 100
REDIS_FAILURES = (RedisError, OSError, TimeoutError)

JS_CODE = re.compile(r"[\x21-\x7e]{1,256}")
OPAQUE = re.compile(r"[\x21-\x7e]{1,1024}")
RID = re.compile(r"rid: ?([0-9A-Za-z-]{1,64})")


@dataclass(frozen=True)
class WechatSession:
    """The identity of a login. ``session_key`` must never leave the server."""

    openid: str = field(repr=False)
    unionid: str | None = field(repr=False)
    session_key: str = field(repr=False)


class _Unreadable(Exception):
    """Not a reply of WeChat's API. The message is a fixed reason, safe to log."""


class WechatClient:
    """API client of one mini-program. ``http`` has the API's address as its ``base_url``."""

    def __init__(
        self, *, http: httpx.AsyncClient, appid: str, secret: SecretStr, redis: Redis
    ) -> None:
        self._http = http
        self._appid = appid
        self._secret = secret
        self._redis = redis
        self._token_key = f"qx:wechat:token:{appid}"
        self._force_key = f"qx:wechat:forced:{appid}"
        self._fetching = asyncio.Lock()
        # The last token and its expiry (monotonic), used while Redis is down.
        self._held: tuple[str, float] | None = None

    async def code_to_session(self, code: str) -> WechatSession:
        """Exchange a code of ``wx.login`` (valid for 5 minutes, once) for the person's identity.

        Raises CodeInvalid, UserAtRisk, WechatLimited or WechatUnavailable.
        No retry after a lost reply: the code may be used up by then.
        """
        if not JS_CODE.fullmatch(code):
            log.info("wechat.code_refused", errcode=None, reason="malformed")
            raise CodeInvalid
        params = {
            "appid": self._appid,
            "secret": self._secret.get_secret_value(),
            "js_code": code,
            "grant_type": "authorization_code",
        }
        answer = await self._ask("GET", SESSION_PATH, params=params)
        if answer.errcode:
            raise refusal(SESSION_PATH, answer)
        found = [answer.fields.get(name) for name in ("openid", "session_key", "unionid")]
        openid, session_key, unionid = (_opaque(value) for value in found)
        if openid is None or session_key is None:
            raise unavailable(SESSION_PATH, "incomplete reply")
        return WechatSession(openid=openid, unionid=unionid, session_key=session_key)

    async def access_token(self) -> str:
        """Return the token for server calls. All processes share it; clients never see it."""
        return await self._token(refused=None)

    async def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST ``body`` to ``path`` with the access token; return WeChat's reply.

        Raises the refusals of this module. ``WechatUnavailable.errcode`` has codes that are
        specific to the path.
        """
        return (await self._call(path, body)).fields

    async def mini_program_code(self, scene: str) -> bytes:
        """Return a picture, PNG or JPEG, that opens the start page with ``scene`` in its query.

        For what is printed: it never ends, and an account makes 5,000 a minute. Raises as
        ``call`` does.
        """
        body = {"scene": scene, "check_path": False, "is_hyaline": True}
        answer = await self._call(WXACODE_PATH, body)
        if not answer.picture.startswith((b"\x89PNG", b"\xff\xd8\xff")):
            raise unavailable(WXACODE_PATH, "no picture")
        return answer.picture

    async def _call(self, path: str, body: dict[str, Any]) -> Answer:
        token = await self.access_token()
        answer = await self._ask("POST", path, params={"access_token": token}, body=body)
        if answer.errcode in TOKEN_REFUSED:
            log.warning("wechat.token_refused", path=path, errcode=answer.errcode, rid=answer.rid)
            token = await self._token(refused=token)
            answer = await self._ask("POST", path, params={"access_token": token}, body=body)
        if answer.errcode:
            raise refusal(path, answer)
        return answer

    async def check_picture(self, url: str, openid: str) -> str:
        """Let WeChat fetch a picture and check it; return the name under which it will answer.

        The answer is pushed within 30 minutes. Raises as ``call`` does; WeChat also refuses
        somebody (``openid``) who has not opened the mini-program within two hours.
        """
        fields = await self.call(MEDIA_CHECK_PATH, PICTURE | {"media_url": url, "openid": openid})
        trace_id = _opaque(fields.get("trace_id"))
        if trace_id is None or len(trace_id) > MAX_TRACE_ID:
            raise unavailable(MEDIA_CHECK_PATH, "incomplete reply")
        return trace_id

    async def send_message(
        self, openid: str, template_id: str, page: str | None, data: Mapping[str, Any]
    ) -> None:
        """Send a message that the person accepted. Raises as ``call`` does."""
        body: dict[str, Any] = {"touser": openid, "template_id": template_id, "data": dict(data)}
        await self.call(SEND_PATH, body | ({"page": page} if page else {}))

    async def _token(self, refused: str | None) -> str:
        """Return a token other than ``refused``, if WeChat issues one. Raises WechatUnavailable."""
        try:
            # The timeout includes the wait for another task's fetch: callers must not pile up.
            async with asyncio.timeout(TOTAL_S):
                if (cached := await self._cached_token()) not in (None, refused):
                    return str(cached)
                async with self._fetching:
                    if (cached := await self._cached_token()) not in (None, refused):
                        return str(cached)
                    token = await self._fetch_token(force=False)
                    # A plain fetch first: another server may have refreshed the token already.
                    if token == refused and await self._may_force():
                        token = await self._fetch_token(force=True)
                    return token
        except TimeoutError:
            pass
        raise unavailable(TOKEN_PATH, "timeout")

    async def _cached_token(self) -> str | None:
        try:
            cached = await self._redis.get(self._token_key)
        except REDIS_FAILURES as error:
            log.warning("wechat.token_cache_down", error=type(error).__name__)
            if self._held is not None and monotonic() < self._held[1]:
                return self._held[0]
            return None
        return cached.decode() if isinstance(cached, bytes) else cached

    async def _may_force(self) -> bool:
        """Claim the forced refresh of these 30 s. False without Redis: the quota is small."""
        try:
            claimed = await self._redis.set(self._force_key, "1", nx=True, ex=FORCE_GAP_S)
        except REDIS_FAILURES:
            return False
        return bool(claimed)

    async def _fetch_token(self, *, force: bool) -> str:
        body = {
            "grant_type": "client_credential",
            "appid": self._appid,
            "secret": self._secret.get_secret_value(),
            "force_refresh": force,
        }
        answer = await self._ask("POST", TOKEN_PATH, params={}, body=body)
        if answer.errcode:
            raise refusal(TOKEN_PATH, answer)
        token = _opaque(answer.fields.get("access_token"))
        lifetime = answer.fields.get("expires_in")
        if token is None or not isinstance(lifetime, int) or not 0 < lifetime <= 86_400:
            raise unavailable(TOKEN_PATH, "incomplete reply")
        seconds = max(lifetime - TOKEN_MARGIN_S, TOKEN_MIN_CACHE_S)
        self._held = (token, monotonic() + seconds)
        try:
            await self._redis.set(self._token_key, token, ex=seconds)
        except REDIS_FAILURES as error:
            log.warning("wechat.token_cache_down", error=type(error).__name__)
        log.info("wechat.token_fetched", forced=force, cached_seconds=seconds)
        return token

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str],
        body: dict[str, Any] | None = None,
    ) -> Answer:
        """Send a request; retry only while WeChat answers "busy". Raises WechatUnavailable."""
        try:
            async with asyncio.timeout(TOTAL_S):
                for pause in BACKOFF_S:
                    answer = await self._send(method, path, params, body)
                    if answer.errcode != BUSY:
                        return answer
                    await asyncio.sleep(pause)
                return await self._send(method, path, params, body)
        except TimeoutError:
            reason = "timeout"
        except httpx.HTTPError as error:
            reason = type(error).__name__
        except _Unreadable as error:
            reason = str(error)
        raise unavailable(path, reason)

    async def _send(
        self, method: str, path: str, params: Mapping[str, str], body: dict[str, Any] | None
    ) -> Answer:
        # No compression: the limit below then holds for the decoded size too.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        content = None
        if body is not None:
            # Some WeChat messages show \u escapes literally, hence plain UTF-8.
            content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            headers["Content-Type"] = "application/json"
        async with self._http.stream(
            method,
            path,
            params=params,
            content=content,
            headers=headers,
            timeout=httpx.Timeout(TOTAL_S, connect=CONNECT_S),
        ) as response:
            if response.status_code != httpx.codes.OK:
                raise _Unreadable(f"status {response.status_code}")
            is_picture = response.headers.get("content-type", "").startswith("image/")
            limit = MAX_PICTURE_BYTES if is_picture else MAX_REPLY_BYTES
            received = bytearray()
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > limit:
                    raise _Unreadable("reply too large")
        # A failure is JSON, whatever its content type.
        if is_picture and not received.startswith(b"{"):
            return Answer(0, None, {}, bytes(received))
        return _parse(bytes(received))


def _parse(raw: bytes) -> Answer:
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _Unreadable("not a JSON object")
    errcode = fields.get("errcode", 0)
    if not isinstance(errcode, int):
        raise _Unreadable("errcode is not a number")
    rid = RID.search(str(fields.get("errmsg", "")))
    return Answer(errcode, rid.group(1) if rid else None, fields)


def _opaque(value: object) -> str | None:
    """Return an identifier or token of WeChat if it is short visible ASCII; else None."""
    return value if isinstance(value, str) and OPAQUE.fullmatch(value) else None
