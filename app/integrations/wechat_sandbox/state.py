"""What the sandbox remembers: codes, scripted errors, quotas, tokens.

All of it is in Redis under ``qx:sandbox:*`` with an expiry, so that every worker
process sees the same WeChat.
"""

import base64
import secrets
import time
from collections.abc import Awaitable
from hashlib import sha256
from typing import cast

from app.core import clock
from app.core.redis import Redis

KEY = "qx:sandbox:"
CHECKS_KEY = f"{KEY}media-checks"
CODE_TTL_S = 300
MAX_CODE_CHARS = 256
LOGINS_A_MINUTE = 100
TOKEN_TTL_S = 7200
# WeChat renews a stable token five minutes early; the old one lives on meanwhile.
TOKEN_RENEWED_AFTER_S = TOKEN_TTL_S - 300
# An expired token is remembered for a day, to be told apart from one that never was.
TOKEN_MEMORY_S = 86_400
FORCED_A_DAY = 20
FORCED_GAP_S = 30
SCRIPT_TTL_S = 3600


class WechatError(Exception):
    """One of WeChat's error codes, on its way to the reply."""

    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode


def sandbox_openid(user: str) -> str:
    """Return a sandbox user's openid: 28 characters, always the same for a name."""
    digest = sha256(b"qingxiang/sandbox/" + user.encode()).digest()
    return "o" + base64.urlsafe_b64encode(digest)[:27].decode()


class State:
    """Commands on the shared state; those that refuse raise WechatError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def make_code(self, user: str) -> str:
        code = secrets.token_hex(16)
        await self._redis.set(_code_key(code), user, ex=CODE_TTL_S)
        return code

    async def owner(self, code: str) -> str:
        """Return the user of an unused code, without using it."""
        if len(code) > MAX_CODE_CHARS:
            raise WechatError(40029)
        user = _text(await self._redis.get(_code_key(code)))
        if user is None:
            raise WechatError(40029)
        if user == "":
            raise WechatError(40163)
        return user

    async def spend(self, code: str) -> None:
        """Use a code up: "" marks it until it would have expired anyway.

        One command reads and marks, so that of concurrent logins one gets the session.
        """
        before = await self._redis.set(_code_key(code), "", xx=True, keepttl=True, get=True)
        if not _text(before):
            raise WechatError(40163)

    async def count_login(self, openid: str) -> None:
        """Hold a user to 100 logins a minute; the minute begins with the first of them."""
        if await self._count(f"{KEY}logins:{openid}", 60) > LOGINS_A_MINUTE:
            raise WechatError(45011)

    async def add_script(self, path: str, openid: str, errcode: int, times: int) -> None:
        """Queue an error code ``times`` times behind those that a path has already."""
        key = _script_key(path, openid)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, *[errcode] * times)
            pipe.expire(key, SCRIPT_TTL_S)
            await pipe.execute()

    async def clear_scripts(self) -> None:
        async for key in self._redis.scan_iter(match=f"{KEY}script:*"):
            await self._redis.delete(key)

    async def follow_script(self, path: str, openid: str = "") -> None:
        """Raise the next scripted error of a path, if one is left."""
        popped = self._redis.lpop(_script_key(path, openid))
        errcode = await cast("Awaitable[bytes | str | None]", popped)
        if errcode is not None:
            raise WechatError(int(errcode))

    async def add_check(self, trace_id: str, url: str) -> None:
        """Take note of a picture that waits to be checked."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(CHECKS_KEY, trace_id, url)
            pipe.expire(CHECKS_KEY, SCRIPT_TTL_S)
            await pipe.execute()

    async def take_checks(self) -> dict[str, str]:
        """Return the addresses of the pictures that wait, by trace id, and forget them."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(CHECKS_KEY)
            pipe.delete(CHECKS_KEY)
            found, _ = await pipe.execute()
        return {str(_text(key)): str(_text(value)) for key, value in found.items()}

    async def accept(self, openid: str, template_id: str, times: int) -> None:
        """Let a user accept a template so often; each accept is good for one message."""
        key = _accepts_key(openid, template_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.incrby(key, times)
            pipe.expire(key, SCRIPT_TTL_S)
            await pipe.execute()

    async def spend_accept(self, openid: str, template_id: str) -> None:
        """Use an accept up. Raises WechatError if there is none."""
        key = _accepts_key(openid, template_id)
        if int(await self._redis.decr(key)) < 0:
            await self._redis.delete(key)
            raise WechatError(43101)

    async def add_message(self, openid: str, message: str) -> None:
        """Keep a message that was delivered to a user."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(_messages_key(openid), message)
            pipe.expire(_messages_key(openid), SCRIPT_TTL_S)
            await pipe.execute()

    async def messages(self, openid: str) -> list[str]:
        """Return the messages that were delivered to a user, oldest first."""
        found = self._redis.lrange(_messages_key(openid), 0, -1)
        return [str(_text(one)) for one in await found]

    async def current_token(self) -> tuple[str, int]:
        """Return the token and the whole seconds it has left."""
        token = _text(await self._redis.get(f"{KEY}token")) or await self._issue_token(nx=True)
        expires_at = float(_text(await self._redis.get(_token_key(token))) or 0)
        return token, max(1, round(expires_at - time.time()))

    async def force_token(self) -> None:
        """Replace the token and kill the old one; within 30 s of the last time do nothing."""
        if not await self._redis.set(f"{KEY}forced", "1", nx=True, ex=FORCED_GAP_S):
            return
        day = clock.local_date(clock.now())
        if await self._count(f"{KEY}forced:{day}", 2 * 86_400) > FORCED_A_DAY:
            raise WechatError(45009)
        await self._issue_token(nx=False)

    async def check_token(self, token: str) -> None:
        if not token:
            raise WechatError(41001)
        expires_at = _text(await self._redis.get(_token_key(token)))
        if expires_at is None:
            raise WechatError(40001)
        if time.time() >= float(expires_at):
            raise WechatError(42001)

    async def _issue_token(self, *, nx: bool) -> str:
        """Make a token the current one; with ``nx`` the first of concurrent makers wins."""
        token = secrets.token_urlsafe(96)
        expires_at = time.time() + TOKEN_TTL_S
        # First valid, then current: nobody may be handed a token that is refused.
        await self._redis.set(_token_key(token), expires_at, ex=TOKEN_TTL_S + TOKEN_MEMORY_S)
        before = _text(
            await self._redis.set(f"{KEY}token", token, nx=nx, get=True, ex=TOKEN_RENEWED_AFTER_S)
        )
        if before is None:
            return token
        await self._redis.delete(_token_key(token if nx else before))
        return before if nx else token

    async def _count(self, key: str, seconds: int) -> int:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.incr(key)
            pipe.expire(key, seconds, nx=True)
            counted, _ = await pipe.execute()
        return int(counted)


def _text(value: object) -> str | None:
    """Read a Redis reply, whether the client decodes its replies or not."""
    if value is None:
        return None
    return value.decode() if isinstance(value, bytes) else str(value)


def _code_key(code: str) -> str:
    return f"{KEY}code:{code}"


def _token_key(token: str) -> str:
    return f"{KEY}token:{sha256(token.encode()).hexdigest()}"


def _accepts_key(openid: str, template_id: str) -> str:
    return f"{KEY}accepts:{openid}:{template_id}"


def _messages_key(openid: str) -> str:
    return f"{KEY}messages:{openid}"


def _script_key(path: str, openid: str) -> str:
    return f"{KEY}script:{path}:{openid}"
