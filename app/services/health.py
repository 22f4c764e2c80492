"""Readiness checks, and what must hold before a process starts: schema, privileges, secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.core.db import Session
from app.core.errors import Refusal
from app.core.keys import check_value
from app.queries import health as queries
from app.services import jobs
from app.services.ledger import moments

ALEMBIC_INI = Path(__file__).resolve().parents[2] / "alembic.ini"


class NotReady(Refusal):
    code, status, title = "service.not_ready", 503, "Not ready"
    zh, en = "服务尚未就绪", "The database schema is not current: run `qingxiang migrate`."
    fact_names = ("retry_after",)


class LedgerUnprotected(Exception):
    """The service is connected as a role that could rewrite the ledger."""


class AnotherSecret(Exception):
    """The database was made with another secret."""


@dataclass(frozen=True)
class Condition:
    """Whether this process's clock agrees with PostgreSQL's, and the jobs that are held."""

    clock: Literal["ok", "wrong"]
    held_jobs: list[str]

    @property
    def is_good(self) -> bool:
        return self.clock == "ok" and not self.held_jobs


async def condition(tx: Session) -> Condition:
    """Return the state of the clock and the jobs. Raises NotReady unless the schema is current."""
    await require_current_schema(tx)
    clock: Literal["ok", "wrong"] = "ok" if await moments.agrees(tx) else "wrong"
    return Condition(clock, await jobs.held(tx))


async def require_current_schema(tx: Session) -> None:
    """Raise NotReady unless the database is at the newest migration."""
    if await queries.schema_version(tx) != newest_migration():
        raise NotReady(retry_after=5)


async def require_protected_ledger(tx: Session) -> None:
    """Raise LedgerUnprotected if the connected role may update, delete or alter."""
    if await queries.may_rewrite_ledger(tx):
        raise LedgerUnprotected(
            "QX_DATABASE_URL connects as a role that may change ledger rows or the schema;"
            " use the role qx_app, and the owner only in QX_MIGRATION_DATABASE_URL"
        )


async def require_own_secret(tx: Session, secrets: Sequence[bytes]) -> None:
    """Raise AnotherSecret unless the database belongs to one of the secrets, the current one first.

    With another secret nobody would be found again, and every login would make a new person.
    The first start stores the check value; the first one after a rotation replaces it.
    """
    current, *previous = map(check_value, secrets)
    stored = await queries.check_value(tx)
    if stored is None:
        await queries.insert_check_value(tx, current)
        stored = await queries.check_value(tx)
    if stored == current:
        return
    if stored not in previous:
        raise AnotherSecret(
            "this database was made with another secret: put that one back, in QX_SECRET_KEY or"
            " the file secret-key of QX_DATA_DIR; to change the secret on purpose, give the old"
            " one as QX_SECRET_KEY_PREVIOUS (docs/operations.md, part 6)"
        )
    await queries.replace_check_value(tx, current)


async def take_turn(tx: Session) -> None:
    """Wait until no other process prepares the database; the turn ends with the transaction."""
    await queries.take_turn(tx)


@lru_cache
def newest_migration() -> str | None:
    return ScriptDirectory.from_config(Config(ALEMBIC_INI)).get_current_head()
