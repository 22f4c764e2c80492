# ruff: noqa: S608 - the names of our own tables
"""Sealed facts: each sealed column of each table is compared with its seal, and the row named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import Column, make_url
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE
from sqlmodel import AutoString, SQLModel

from app.core.clock import BEGINNING, midnight
from app.embedded.databases import connect
from app.embedded.layout import Engines
from app.models.seals import SealedFact
from app.queries.ledger import sealing_facts
from app.queries.ledger.sealed_facts import FACTS, Fact
from app.runtime import Runtime
from app.services.ledger import sealed_facts, seals, verification
from app.services.ledger.sealed_facts import A_DAY
from app.services.ledger.verification import ROOTS, ROWS, Difference
from tests.conftest import ScratchFactory
from tests.factories.clock import TODAY, noon
from tests.services.unsealed import NOT_SEALED

pytestmark = pytest.mark.usefixtures("at_noon")
DAY, NOON = TODAY - A_DAY, noon(1)
TABLES = {str(fact.model.__tablename__) for fact in FACTS}
ID = UUID(int=7)
# Of the definitions, and of the types of their columns.
FORM = "f95975da589db6b4dd9e590f8161164e27efbac0581461ca55d54090205fa962"


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@asynccontextmanager
async def superuser(runtime: Runtime, engines: Engines) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection past all constraints of the tables with facts."""
    assert runtime.settings.database_url is not None
    name = make_url(runtime.settings.database_url).database
    connection = await connect(engines.admin_database_url, name)
    try:
        await connection.execute("SET session_replication_role = replica")
        for table in TABLES | {"ledger_transfers"}:
            for one in await connection.fetch(
                "SELECT conname FROM pg_constraint WHERE contype IN ('c', 'f', 'x')"
                f" AND conrelid = '{table}'::regclass"
            ):
                await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {one['conname']}")
        yield connection
    finally:
        await connection.close()


def columns(table: str) -> list[Column[Any]]:
    return list(SQLModel.metadata.tables[table].columns)


def value(column: Column[Any], *, other: bool = False) -> str:
    """Return SQL of a value of the column's type, or of another one."""
    if isinstance(column.type, TSTZMULTIRANGE):
        until = "2026-01-02" if other else "2026-01-03"
        return f"'{{[2026-01-01,{until})}}'::tstzmultirange"
    known: dict[type, type] = {JSONB: dict, AutoString: str}
    kind = known.get(type(column.type)) or column.type.python_type
    values: dict[type, tuple[str, str]] = {
        UUID: (f"'{ID}'", f"'{UUID(int=8)}'"),
        int: ("3", "4"),
        str: ("'a'", "'b'"),
        bool: ("true", "false"),
        dict: ("""'{"a": 1}'""", """'{"a": 2}'"""),
        datetime: (f"'{NOON.isoformat()}'", f"'{(NOON - A_DAY).isoformat()}'"),
        date: ("'2026-10-01'", "'2026-11-01'"),
        timedelta: ("interval '1 day'", "interval '2 days'"),
    }
    return values[kind][other]


# What decides that a row is a fact.
DECIDING = {"cases": {"state": "'closed'", "kind": "'appeal'"}, "awards": {"reviews_needed": "0"}}


async def write_rows(connection: asyncpg.Connection) -> None:
    """Write a row of each table with facts, and the transfer that dates some of them."""
    for table in sorted(TABLES | {"ledger_transfers"}):
        await connection.execute(f"DELETE FROM {table}")
        known = DECIDING.get(table, {})
        names = [one.name for one in columns(table) if one.name != "xact"]
        values = [known.get(one.name) or value(one) for one in columns(table) if one.name != "xact"]
        await connection.execute(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(values)})"
        )


async def seal(runtime: Runtime) -> None:
    async with runtime.database.transaction() as tx:
        await seals.close_days(tx, [DAY])
        await seals.seal_day(tx, DAY)


async def changed(runtime: Runtime, fact: Fact) -> list[tuple[str, str, str]]:
    """Compare one fact, without the rest of a verification."""
    async with runtime.database.snapshot() as tx:
        kept = (await sealing_facts.kept(tx, DAY))[DAY]
        return await sealed_facts.changed_rows(tx, fact, kept, BEGINNING, midnight(DAY) + A_DAY)


async def differences(runtime: Runtime, check: str) -> list[Difference]:
    async with runtime.database.snapshot() as tx:
        report = await verification.verify(tx)
    return [one for one in report.differences if one.check == check]


def test_each_column_is_sealed_or_there_is_a_reason_why_not() -> None:
    for table in TABLES:
        sealed = {
            name for fact in FACTS if fact.model.__tablename__ == table for name in fact.columns
        }
        reasons = NOT_SEALED.get(table, {}).keys()
        assert sealed | reasons == {one.name for one in columns(table)}, table
        assert not sealed & reasons, table
    assert NOT_SEALED.keys() <= TABLES


def test_what_has_sealed_a_day_stays_as_it_is() -> None:
    """Another form would make all sealed days differ: seal a new column with another fact."""
    parts = []
    for fact in FACTS:
        table = SQLModel.metadata.tables[str(fact.model.__tablename__)]
        types = [f"{name} {type(table.columns[name].type).__name__}" for name in fact.columns]
        how = (fact.dated, fact.join, fact.where, *fact.instead.values(), *fact.also)
        parts += [fact.name, table.name, *types, *how]
    assert sha256("\n".join(parts).encode()).hexdigest() == FORM


@pytest_asyncio.fixture(scope="module")
async def written(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[tuple[Runtime, asyncpg.Connection]]:
    """A sealed row of each table; who changes one puts it back."""
    async with ScratchFactory(engines_and_template, worker_number)() as application:
        runtime: Runtime = application.state.runtime
        async with superuser(runtime, engines_and_template[0]) as connection:
            await write_rows(connection)
            await seal(runtime)
            async with runtime.database.snapshot() as tx:
                report = await verification.verify(tx)
            assert not [one for one in report.differences if one.check.startswith("sealed facts")]
            yield runtime, connection


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
async def test_each_sealed_column_of_a_row_is_compared_and_the_row_is_named(
    written: tuple[Runtime, asyncpg.Connection], fact: Fact
) -> None:
    runtime, connection = written
    table = str(fact.model.__tablename__)
    for column in columns(table):
        if column.name not in fact.columns:
            continue
        await connection.execute(f"CREATE TEMPORARY TABLE before AS SELECT * FROM {table}")
        other = value(column, other=True)
        await connection.execute(f"UPDATE {table} SET {column.name} = {other}")

        found = await changed(runtime, fact)

        await connection.execute(f"DELETE FROM {table}")
        await connection.execute(f"INSERT INTO {table} SELECT * FROM before")
        await connection.execute("DROP TABLE before")
        assert [
            subject
            for subject, expected, _ in found
            if subject.startswith(f"{fact.name} {ID}") and column.name in expected
        ], column.name
    assert not await changed(runtime, fact)


async def test_a_row_that_came_later_or_is_gone_is_named(
    runtime: Runtime, engines_and_template: tuple[Engines, str]
) -> None:
    other = UUID(int=9)
    async with superuser(runtime, engines_and_template[0]) as connection:
        await write_rows(connection)
        await seal(runtime)
        await connection.execute("CREATE TABLE before AS SELECT * FROM charges")
        await connection.execute("UPDATE before SET id = $1", other)
        await connection.execute("INSERT INTO charges SELECT * FROM before")
        late = (f"charge {other}", "a row")
        found = await differences(runtime, ROWS.format("charge"))
        assert [(one.subject, one.found) for one in found] == [late]

        await connection.execute("DELETE FROM charges WHERE id = $1", ID)
        found = await differences(runtime, ROWS.format("charge"))
        gone = (f"charge {ID}", f"no row of {DAY}")
        assert [(one.subject, one.found) for one in found] == [gone, late]


async def test_what_is_kept_of_the_facts_is_under_the_seal(
    runtime: Runtime, engines_and_template: tuple[Engines, str]
) -> None:
    async with superuser(runtime, engines_and_template[0]) as connection:
        await write_rows(connection)
        await seal(runtime)
        # Consistently: the row, its hash, and the digest.
        await connection.execute("DELETE FROM charges")
        assert await differences(runtime, ROWS.format("charge"))
        await connection.execute(
            f"DELETE FROM {SealedFact.__tablename__} WHERE fact IN ('charge', 'refund')"
        )
        assert not await differences(runtime, ROWS.format("charge"))
        roots = await differences(runtime, ROOTS)
        assert [one.subject for one in roots] == [f"facts of the seal of {DAY}"]
