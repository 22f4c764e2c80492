"""The master of a service that Sentinels watch.

Each new connection asks the Sentinels for the master, and the server whether it is one. Several
Sentinels are asked at once, as one may be wrong: cut off from the others it names a master that
is dead or has been demoted. Connections in use are checked every other second, as Sentinels let
an old master answer for ten seconds beside the new one: what is written there is lost.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError

from app.core.redis_urls import Node

# For the answer of a Sentinel. Beyond a majority nobody is waited for.
ANSWER_S = 0.5
ASK_EVERY_S = 2.0


class Masters:
    """Knows the Sentinels. ``address``: that of the master, as it was last found; None: unknown."""

    def __init__(self, sentinels: Iterable[Node], service: str, **options: Any) -> None:
        self._service = service
        self._sentinels = [aioredis.Redis(host=h, port=p, **options) for h, p in sentinels]
        self.address: Node | None = None
        self._asked_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    def ask_again(self) -> None:
        """Ask in the background, if the last time was ASK_EVERY_S ago: nobody waits."""
        if time.monotonic() - self._asked_at > ASK_EVERY_S:
            self._asked_at = time.monotonic()
            self._asking = asyncio.create_task(self._find_if_possible())

    async def _find_if_possible(self) -> None:
        with suppress(RedisError):  # without an answer the master of before is kept
            await self.find()

    async def find(self) -> Node:
        """Ask for the master. Raises ConnectionError if no Sentinel names one that is up.

        The address that a majority of the Sentinels names; if they are divided, as during a
        failover, that of the latest failover.
        """
        self._asked_at = time.monotonic()
        votes: Counter[Node] = Counter()
        latest: tuple[int, Node] | None = None
        asked = [asyncio.create_task(self._ask(one)) for one in self._sentinels]
        try:
            for answer in asyncio.as_completed(asked):
                said = await answer
                if said is None:
                    continue
                latest = max(latest or said, said)
                votes[said[1]] += 1
                if votes[said[1]] > len(asked) // 2:
                    latest = said
                    break
        finally:
            for task in asked:
                task.cancel()
        if latest is None:
            raise RedisConnectionError(f"no Sentinel knows a master of {self._service!r}")
        self.address = latest[1]
        return self.address

    async def _ask(self, sentinel: aioredis.Redis) -> tuple[int, Node] | None:
        """Return the number of the failover and the address; None if there is no answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                state: dict[str, Any] = await sentinel.sentinel_master(self._service)  # type: ignore[assignment]
        except (RedisError, OSError, TimeoutError):
            return None
        if state["is_sdown"] or state["is_odown"] or not state["is_master"]:
            return None
        return state["config-epoch"], (state["ip"], state["port"])

    async def aclose(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        for sentinel in self._sentinels:
            await sentinel.aclose()


class MasterConnection(Connection):
    """A connection to the master, made anew when the pool takes it out after a failover."""

    def __init__(self, *, masters: Masters, **options: Any) -> None:
        self._masters = masters
        super().__init__(**options, redis_connect_func=_greet)

    async def connect(self) -> None:
        if self.is_connected:
            self._masters.ask_again()
            if (self.host, self.port) != self._masters.address:
                await self.disconnect()
        await super().connect()  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        self.host, self.port = await self._masters.find()
        await super()._connect()  # type: ignore[no-untyped-call]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """As of redis-py; a master that has been demoted ends all connections to it."""
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError as error:
            self._masters.address = None
            await self.disconnect()
            raise RedisConnectionError("the master has been demoted") from error


class MasterSSLConnection(MasterConnection, SSLConnection):
    """The same with TLS."""


async def _greet(connection: Connection) -> None:
    """Log in, then make sure that this is a master: a replica would answer reads."""
    await connection.on_connect()
    await connection.send_command("ROLE")
    role = await connection.read_response()
    if role[0] not in ("master", b"master"):
        raise RedisConnectionError("the Sentinels name a server that is no master")


class SentinelClient(aioredis.Redis):
    """A client of the master."""

    def __init__(self, masters: Masters, pool: aioredis.ConnectionPool) -> None:
        super().__init__(connection_pool=pool)
        self._masters = masters

    async def ping(self, **options: Any) -> bool:
        """Reach the master, as the Sentinels know it now."""
        self._masters.address = None
        return bool(await super().ping(**options))

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        await self.connection_pool.aclose()
        await self._masters.aclose()
