"""SQL of the readiness probe and of the start-up checks."""

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.core.db import Session

_OVERPOWERED = text("""
SELECT has_schema_privilege('public', 'CREATE') OR bool_or(
    has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE')
    OR has_column_privilege(c.oid, a.attnum, 'UPDATE') AND (c.relname, a.attname) NOT IN (
        ('ledger_accounts', 'balance'), ('ledger_accounts', 'last_number'),
        ('ledger_lots', 'remaining'))) AS found
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  AND (c.relname ^@ 'ledger_' OR c.relname = 'audit_entries')
""")


async def schema_version(session: Session) -> str | None:
    """Read the migration that the database is at; None when there is none."""
    try:
        row = await session.execute(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return None
    found: str | None = row.scalar_one_or_none()
    return found


async def may_rewrite_ledger(session: Session) -> bool:
    """Tell whether the connected role could change history or the schema."""
    return bool((await session.execute(_OVERPOWERED)).scalar_one())
