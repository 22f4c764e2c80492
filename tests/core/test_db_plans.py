"""Plans of connections that stay while tables grow."""

import json
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core import db_engine
from app.core.db import Database, Session, numbered
from app.embedded.layout import Engines
from app.runtime import Runtime
from tests.engines import as_owner, as_superuser

SMALL, LARGE = 20, 20_000
# As the lists of the data plane look up their rows.
LOOK_UP = """
SELECT i.status FROM unnest(CAST(:people AS uuid[]), CAST(:keys AS text[])) AS k(person_id, key)
JOIN idempotency_keys i ON i.person_id = k.person_id AND i.key = k.key
"""
VALUES = {"people": [uuid4() for _ in range(16)], "keys": [str(number) for number in range(16)]}
# Nobody of these exists: foreign keys rest.
GROW = """
SET session_replication_role = replica;
INSERT INTO idempotency_keys (person_id, key, fingerprint)
SELECT gen_random_uuid(), CAST(n AS text), '' FROM generate_series(1, {rows}) n
"""
CACHED = "SELECT name FROM pg_prepared_statements WHERE statement = :sql AND generic_plans > 0"
BACKEND = text("SELECT pg_backend_pid()")
KINDS = ("read", "transaction", "snapshot")


@pytest.fixture
async def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@pytest.fixture
async def database(runtime: Runtime) -> AsyncIterator[Database]:
    """Connections of their own: one that writes, one that reads."""
    assert runtime.settings.database_url is not None
    found = Database(runtime.settings.database_url, pool_size=2)
    yield found
    await found.close()


def opened(database: Database, kind: str) -> AbstractAsyncContextManager[Session]:
    found: AbstractAsyncContextManager[Session] = getattr(database, kind)()
    return found


async def look_up(database: Database, kind: str) -> tuple[int, list[str]]:
    """Run the statement; return the backend, and how its generic plan reads the table."""
    async with opened(database, kind) as tx:
        await tx.fetch(LOOK_UP, VALUES)
        backend = int((await tx.execute(BACKEND)).scalar_one())
        cached = await tx.fetch(CACHED, {"sql": numbered(LOOK_UP)[0]})
        if not cached:
            return backend, []
        # EXECUTE takes the plan from the cache, as the driver does.
        plan = await tx.execute(text(f"EXPLAIN (FORMAT JSON) EXECUTE {cached[0].name}(NULL, NULL)"))
        rows = plan.scalar_one()
    top = json.loads(rows) if isinstance(rows, str) else rows
    return backend, [
        node["Node Type"]
        for node in nodes(top[0]["Plan"])
        if node.get("Relation Name") == "idempotency_keys"
    ]


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


async def grown_under(found: Engines, runtime: Runtime, database: Database, kind: str) -> int:
    """Let a connection plan while the table is small, then let it grow by a thousand.

    Return the backend of the connection.
    """
    await as_superuser(found, runtime.settings, GROW.format(rows=SMALL))
    await as_owner(runtime.settings, "ANALYZE idempotency_keys")  # as autovacuum does
    backends = {(await look_up(database, kind))[0] for _ in range(7)}
    backend, scans = await look_up(database, kind)
    assert (backends, scans) == ({backend}, ["Seq Scan"])
    await as_superuser(found, runtime.settings, GROW.format(rows=LARGE - SMALL))
    return backend


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_plans_anew_when_tables_have_grown(
    engines_and_template: tuple[Engines, str],
    runtime: Runtime,
    database: Database,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = await grown_under(engines_and_template[0], runtime, database, kind)
    monkeypatch.setattr(db_engine, "PLANS_S", 0)
    assert await look_up(database, kind) == (backend, ["Index Scan"])


@pytest.mark.parametrize("kind", KINDS)
async def test_without_that_a_connection_would_read_the_whole_table(
    engines_and_template: tuple[Engines, str],
    runtime: Runtime,
    database: Database,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(db_engine, "PLANS_S", math.inf)
    backend = await grown_under(engines_and_template[0], runtime, database, kind)
    assert await look_up(database, kind) == (backend, ["Seq Scan"])


async def test_plans_are_kept_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planning each time would cost more than it brings."""
    sent = []
    monkeypatch.setattr(db_engine, "PLANS_S", math.inf)
    async with database.transaction() as tx:
        driver = await tx._begun()
    driver.add_query_logger(lambda query: sent.append(query.query))
    for _ in range(3):
        async with database.transaction() as tx:
            await tx.fetch("SELECT 1 AS one", {})
    assert "DISCARD PLANS" not in sent
    monkeypatch.setattr(db_engine, "PLANS_S", 0)
    async with database.transaction() as tx:
        await tx.fetch("SELECT 1 AS one", {})
    assert sent.count("DISCARD PLANS") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_that_the_server_closed_is_replaced_and_not_planned_anew(
    runtime: Runtime, database: Database, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await look_up(database, kind)
    async with runtime.database.transaction() as tx:
        await tx.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    monkeypatch.setattr(db_engine, "PLANS_S", 0)
    second, _ = await look_up(database, kind)
    assert second != first
