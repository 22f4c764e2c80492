"""Readiness: whether the schema is the one that this code was written for."""

from functools import lru_cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.core.db import Session
from app.core.errors import Refusal
from app.queries import health as queries

ALEMBIC_INI = Path(__file__).resolve().parents[2] / "alembic.ini"


class NotReady(Refusal):
    code, status, title = "service.not_ready", 503, "Not ready"
    zh, en = "服务尚未就绪", "The database schema is not current: run `qingxiang migrate`."
    fact_names = ("retry_after",)


class LedgerUnprotected(Exception):
    """The service is connected as a role that could rewrite the ledger."""


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


@lru_cache
def newest_migration() -> str | None:
    return ScriptDirectory.from_config(Config(ALEMBIC_INI)).get_current_head()
