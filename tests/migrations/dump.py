"""The rows of a database in a file, and back: COPY texts, gzipped, in the form of pg_dump.

``python -m tests.migrations.dump URL FILE.sql.gz`` with the URL of the schema's owner. Works
with any revision: it imports nothing of the application. Transaction ids (``xid8``) are left
out, since they mean nothing in another cluster; they are those of loading.
"""

import asyncio
import gzip
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped,unused-ignore]

END = b"\\.\n"
REVISION_TABLE = "alembic_version"
_TABLES = """
SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname <> $1
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  AND a.atttypid <> 'xid8'::regtype
GROUP BY c.relname ORDER BY c.relname
"""
_REFERENCES = """
SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent
FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid
  AND connamespace = 'public'::regnamespace
"""
_SEQUENCES = """
SELECT c.relname AS name, a.attname AS column, pg_get_serial_sequence(c.relname, a.attname) AS seq
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attidentity <> ''
"""


@dataclass(frozen=True)
class Table:
    """Rows as COPY writes them, a line each."""

    name: str
    columns: list[str]
    rows: list[bytes]


async def connect(url: str) -> Any:
    return await asyncpg.connect(url.replace("+asyncpg", "", 1))


async def dump(url: str, file: Path) -> None:
    """Write every row, as of one moment; tables come after those that they refer to."""
    connection = await connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            parts = [f"-- revision {await _revision(connection)}\n".encode()]
            for table, columns in (await tables(connection)).items():
                rows = BytesIO()
                # a query: COPY does not read a partitioned table
                query = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608
                await connection.copy_from_query(query, output=rows)
                parts += [_head(table, columns), rows.getvalue(), END]
    finally:
        await connection.close()
    _write(file, parts)


async def load(url: str, file: Path) -> None:
    """Replace every row by those of a dump. Raises ValueError for one of another revision.

    Triggers of the application do not fire: what they would write is in the dump.
    """
    connection = await connect(url)
    try:
        async with connection.transaction():
            found = await _revision(connection)
            if (made := _lines(file)[0].decode()) != f"-- revision {found}\n":
                raise ValueError(f"{made.strip()} is in the dump, {found} is here")
            here = list(await tables(connection))
            await connection.execute(f"TRUNCATE {', '.join(here)}")
            await _triggers(connection, "DISABLE", here)
            for table in read(file):
                source = BytesIO(b"".join(table.rows))
                await connection.copy_to_table(table.name, columns=table.columns, source=source)
            await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            await _triggers(connection, "ENABLE", here)
            for name, column, sequence in await connection.fetch(_SEQUENCES):
                last = f"SELECT setval($1::regclass, max({column})) FROM {name}"  # noqa: S608
                await connection.execute(last.replace("$1", f"'{sequence}'"))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def read(file: Path) -> Iterator[Table]:
    """Yield the tables of a dump."""
    lines = iter(_lines(file)[1:])
    for head in lines:
        name, _, listed = head.decode().removeprefix("COPY ").partition(" (")
        columns = listed.partition(")")[0].split(", ")
        yield Table(name, columns, list(iter(lambda: next(lines), END)))


async def count_rows(url: str) -> dict[str, int]:
    """Return the number of rows of each table."""
    connection = await connect(url)
    try:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
            for table in await tables(connection)
        }
    finally:
        await connection.close()


async def tables(connection: Any) -> dict[str, list[str]]:
    """Return columns by table, each table after those that it refers to."""
    columns = {
        row["name"]: row["columns"] for row in await connection.fetch(_TABLES, REVISION_TABLE)
    }
    order: TopologicalSorter[str] = TopologicalSorter({name: set() for name in columns})
    for row in await connection.fetch(_REFERENCES):
        order.add(row["child"], row["parent"])
    return {name: columns[name] for name in order.static_order()}


async def _triggers(connection: Any, verb: str, names: list[str]) -> None:
    for name in names:
        await connection.execute(f"ALTER TABLE {name} {verb} TRIGGER USER")


async def _revision(connection: Any) -> str:
    return str(await connection.fetchval(f"SELECT version_num FROM {REVISION_TABLE}"))  # noqa: S608


def _lines(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


def _write(file: Path, parts: list[bytes]) -> None:
    file.write_bytes(gzip.compress(b"".join(parts), mtime=0))


def _head(table: str, columns: list[str]) -> bytes:
    return f"COPY {table} ({', '.join(columns)}) FROM stdin;\n".encode()


if __name__ == "__main__":
    asyncio.run(dump(sys.argv[1], Path(sys.argv[2])))
