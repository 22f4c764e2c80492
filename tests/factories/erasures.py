"""Looking for what was erased: in every table, in Redis, in the store's bytes."""

import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import SQLModel

from app.queries import people as queries
from app.runtime import Runtime


def spellings(canary: str) -> set[str]:
    """Return how a table or Redis may write a text: plain, as JSON escapes it, as bytes."""
    raw = canary.encode()
    return {canary, json.dumps(canary)[1:-1], raw.hex(), b64encode(raw).decode()}


async def tables_with(runtime: Runtime, canaries: Iterable[str]) -> dict[str, set[str]]:
    """Return the canaries that any column of a row holds, by table."""
    found: dict[str, set[str]] = {}
    async with runtime.database.snapshot() as tx:
        for table in SQLModel.metadata.tables:
            rows = (await tx.execute(text(f"SELECT to_jsonb(t)::text FROM {table} t"))).scalars()  # noqa: S608
            everything = "\n".join(rows)
            for canary in canaries:
                if any(one in everything for one in spellings(canary)):
                    found.setdefault(table, set()).add(canary)
    return found


async def keys_with(runtime: Runtime, canaries: Iterable[str]) -> dict[str, set[str]]:
    """Return the canaries that a key of Redis, or its value, holds."""
    found: dict[str, set[str]] = {}
    async for key in runtime.redis.scan_iter():
        everything = f"{key} {await _value(runtime.redis, key)}"
        for canary in canaries:
            if any(one in everything for one in spellings(canary)):
                found.setdefault(key, set()).add(canary)
    return found


async def _value(redis: Any, key: str) -> object:
    kind = await redis.type(key)
    if kind == "zset":
        return await redis.zrange(key, 0, -1)
    if kind == "hash":
        return await redis.hgetall(key)
    if kind == "list":
        return await redis.lrange(key, 0, -1)
    if kind == "set":
        return await redis.smembers(key)
    return await redis.get(key)


async def names_of(runtime: Runtime, *people: UUID) -> list[str]:
    """Return the names of people."""
    async with runtime.database.read() as tx:
        found = await queries.names(tx, people)
    return [found[one].display_name for one in people]
