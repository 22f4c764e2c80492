"""SQL of the readiness probe and of the start-up checks."""

from sqlalchemy import column, func, select, table, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ProgrammingError
from sqlmodel import col

from app.core.db import Session
from app.models.health import SecretCheck

# Of the advisory lock by which one process at a time prepares a database; any number will do.
_PREPARATION = 20_261_130

_VERSION = table("alembic_version", column("version_num"))
_OVERPOWERED = text("""
SELECT has_schema_privilege('public', 'CREATE') OR bool_or(
    has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE')
    OR has_column_privilege(c.oid, a.attnum, 'UPDATE') AND (c.relname, a.attname) NOT IN (
        ('ledger_accounts', 'balance'), ('ledger_accounts', 'last_number'),
        ('ledger_accounts', 'holds_until'), ('ledger_holds', 'is_open'),
        ('ledger_lots', 'remaining'))) AS found
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('public', 'partitions')
WHERE c.relkind IN ('r', 'p')
  AND (c.relname ^@ 'ledger_' OR c.relname ^@ 'audit_entries')
""")


async def schema_version(session: Session) -> str | None:
    """Read the migration that the database is at; None when there is none."""
    try:
        row = await session.execute(select(_VERSION.c.version_num))
    except ProgrammingError:
        return None
    found: str | None = row.scalar_one_or_none()
    return found


async def may_rewrite_ledger(session: Session) -> bool:
    """Tell whether the connected role could change history or the schema."""
    return bool((await session.execute(_OVERPOWERED)).scalar_one())


async def take_turn(session: Session) -> None:
    """Wait until no other process prepares the database; the turn ends with the transaction."""
    await session.execute(select(func.pg_advisory_xact_lock(_PREPARATION)))


async def check_value(session: Session) -> bytes | None:
    """Read the check value of the secret; None before the first start."""
    found: bytes | None = (
        await session.execute(select(col(SecretCheck.check_value)))
    ).scalar_one_or_none()
    return found


async def insert_check_value(session: Session, value: bytes) -> None:
    """Store the check value, unless another process did first."""
    made = insert(SecretCheck).values(id=1, check_value=value)
    await session.execute(made.on_conflict_do_nothing())


async def replace_check_value(session: Session, value: bytes) -> None:
    await session.execute(update(SecretCheck).values(check_value=value))
