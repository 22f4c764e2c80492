"""Requests that are refused, for tests of the refusal's facts and that nothing changes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import text

from app.runtime import Runtime
from tests.factories.people import TestPerson

# Not compared: a final refusal is stored as the reply to its key.
KEPT = {"idempotency_keys", "alembic_version"}
_TABLES = text(
    "SELECT table_name FROM information_schema.tables"
    " WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name"
)


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
    found = {}
    async with runtime.database.read() as tx:
        names = [name for (name,) in await tx.execute(_TABLES) if name not in KEPT]
        for name in names:
            entered = "WHERE last_number > 0" if name == "ledger_accounts" else ""
            sums = f"SELECT count(*), sum(hashtext(t::text)::bigint) FROM {name} t {entered}"  # noqa: S608
            found[name] = tuple((await tx.execute(text(sums))).one())
    return found
