"""Looking for what was erased: in every table, in Redis, in the store's bytes and in exports.

Zips and workbooks are unpacked: packed, no search finds a text in them.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID
from zipfile import ZipFile, is_zipfile

import httpx
from fastapi import FastAPI

from app.api.routes import API
from app.core.clock import now
from app.embedded.databases import connect
from app.integrations.storage import ObjectMissing
from app.models.orgs import Org
from app.queries import people as queries
from app.runtime import Runtime
from tests.factories.exports import PURPOSE
from tests.factories.people import make_administrator

# Tables and views of the service, without the parts of partitioned ones.
_TABLES = """
SELECT oid::regclass::text AS name FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'v')
  AND NOT relispartition
"""
# What indexes make of columns and do not take as it is.
_EXPRESSIONS = """
SELECT indexrelid::regclass::text AS index, indrelid::regclass::text AS table,
    pg_get_indexdef(indexrelid, place, true) AS expression
FROM pg_index CROSS JOIN LATERAL generate_series(1, indnkeyatts) AS place
JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace = 'public'::regnamespace AND NOT relispartition AND indkey[place - 1] = 0
"""
# A zip in a column of bytes, as ``to_jsonb`` writes it.
_ZIP = re.compile(r"\\\\x(504b0304[0-9a-f]+)")


def spellings(canary: str) -> set[str]:
    """Return how a table or Redis may write a text: plain, as JSON escapes it, as bytes."""
    raw = canary.encode()
    return {canary, json.dumps(canary)[1:-1], raw.hex(), b64encode(raw).decode()}


def unpacked(content: bytes) -> Iterator[bytes]:
    """Yield bytes and, of a zip or workbook, what it contains with the names."""
    yield content
    if is_zipfile(BytesIO(content)):
        with ZipFile(BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from unpacked(archive.read(name))


def held(everything: str, canaries: Iterable[str]) -> set[str]:
    """Return the canaries that a text holds, in any spelling, also within zips in it."""
    zips = [bytes.fromhex(one) for one in _ZIP.findall(everything)]
    texts = [everything, *(part.decode(errors="replace") for one in zips for part in unpacked(one))]
    return {
        canary
        for canary in canaries
        if any(spelling in text for text in texts for spelling in spellings(canary))
    }


def held_by(content: bytes, canaries: Iterable[str]) -> set[str]:
    """Return the canaries that a file holds."""
    texts = "\n".join(part.decode(errors="replace") for part in unpacked(content))
    return held(texts, canaries)


async def tables_with(runtime: Runtime, canaries: Iterable[str]) -> dict[str, set[str]]:
    """Return the canaries by the table whose rows hold them, and by the index that makes them.

    Read as the owner: the service may not read each table.
    """
    canaries = list(canaries)
    found = {}
    connection = await connect(str(runtime.settings.migration_database_url))
    try:
        asked = {row["name"]: "to_jsonb(t)" for row in await connection.fetch(_TABLES)}
        sources = [(name, name, expression) for name, expression in asked.items()]
        sources += [
            (row["index"], row["table"], f"({row['expression']})")
            for row in await connection.fetch(_EXPRESSIONS)
        ]
        for name, table, expression in sources:
            rows = await connection.fetch(f"SELECT CAST({expression} AS text) FROM {table} t")  # noqa: S608
            if found_here := held("\n".join(str(row[0]) for row in rows), canaries):
                found[name] = found_here
    finally:
        await connection.close()
    return found


async def objects_with(runtime: Runtime, canaries: Iterable[str]) -> dict[str, set[str]]:
    """Return the canaries that an object in the store holds."""
    canaries, found = list(canaries), {}
    async for keys in runtime.store.older_than(now() + timedelta(days=1)):
        for key in keys:
            with suppress(ObjectMissing):  # other tests share the store, and remove theirs
                if found_here := held_by(await runtime.store.get(key), canaries):
                    found[key] = found_here
    return found


async def exports_with(
    app: FastAPI,
    api: httpx.AsyncClient,
    org: Org,
    ids: Mapping[str, UUID],
    canaries: Iterable[str],
) -> dict[str, set[str]]:
    """Return the canaries that each export of others' lists holds, also where there is none.

    ``ids``: of what stands in their paths, by name. Lists of other things, and those that ask for
    more than an organisation, are passed over.
    """
    canaries, found = list(canaries), dict[str, set[str]]()
    runtime: Runtime = app.state.runtime
    known = {"org_id": org.id} | {**ids}
    admin = await make_administrator(runtime, org.id)
    for path, operation in app.openapi()["paths"].items():
        in_path = {*re.findall(r"{(\w+)}", path)}
        if not path.endswith((".xlsx", ".csv")) or "/me/" in path or not in_path <= {*known}:
            continue
        takes = {one["name"]: one["required"] for one in operation["get"]["parameters"]}
        if {name for name, required in takes.items() if required} - in_path - {"purpose", "org_id"}:
            continue
        asked = {"org_id": str(org.id)} if "org_id" in {*takes} - in_path else {}
        reply = await api.get(path.format(**known), headers=admin.headers, params=PURPOSE | asked)
        assert reply.status_code in {200, 403, 404, 409}, (path, reply.text)
        if reply.status_code == 200:
            found[path.removeprefix(API)] = held_by(reply.content, canaries)
    return found


async def keys_with(runtime: Runtime, canaries: Iterable[str]) -> dict[str, set[str]]:
    """Return the canaries that a key of Redis, or its value, holds."""
    canaries, found = list(canaries), {}
    async for key in runtime.redis.scan_iter():
        if found_here := held(f"{key} {await _value(runtime.redis, key)}", canaries):
            found[key] = found_here
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
    assert kind in {"string", "none"}, "each kind of value is looked into"
    return await redis.get(key)


async def names_of(runtime: Runtime, *people: UUID) -> list[str]:
    """Return the names of people."""
    async with runtime.database.read() as tx:
        found = await queries.names(tx, people)
    return [found[one].display_name for one in people]
