"""Requests that are refused, for tests of the refusal's facts and that nothing changes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from app.runtime import Runtime
from tests.factories.people import TestPerson

# Not compared: a final refusal is stored as the reply to its key.
KEPT = {"idempotency_keys", "alembic_version"}
# A partition's rows are those of its table.
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    ORDER BY relname
"""


@dataclass(frozen=True)
class Ask:
    """A request that is refused, with the facts of the refusal."""

    person: TestPerson
    method: str
    path: str
    facts: dict[str, Any]
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    files: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


Maker = Callable[[httpx.AsyncClient, Runtime], Awaitable[Ask]]


async def everything(runtime: Runtime) -> dict[str, Any]:
    """Return the number of rows of each table, and a hash of their contents.

    Ledger accounts without an entry are ignored: locking an account creates it.
    """
    async with runtime.database.read() as tx:
        names = [row.relname for row in await tx.fetch(_TABLES, {})]
        rows = await tx.fetch(_contents(tuple(name for name in names if name not in KEPT)), {})
    return {row.name: (row.number, row.contents) for row in rows}


@cache
def _contents(names: tuple[str, ...]) -> str:
    """Return one statement for all tables: each on its own would take a round trip."""
    sums = {
        name: f"SELECT '{name}' AS name, count(*) AS number,"  # noqa: S608
        f" sum(hashtext(t::text)::bigint) AS contents FROM {name} t"
        for name in names
    }
    sums["ledger_accounts"] += " WHERE last_number > 0"
    return " UNION ALL ".join(sums.values())
