"""Run migrations as the owner of the schema, one transaction a migration.

``lock_timeout``: a migration that cannot get its lock fails in 5 s instead of queueing
every reader of the table behind it.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from alembic.operations import ops
from sqlalchemy import Connection, pool, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import app.models  # noqa: F401 - fills the metadata
from alembic import context
from app.models.ledger import Xid8

LOCK_TIMEOUT = "5s"
# Of the advisory lock by which one process at a time migrates a database; any number will do.
LOCK_KEY = 20_261_129
LOOK_EVERY_S = 0.2
# So that the drift check can read the column back.
ischema_names["xid8"] = Xid8


def grant_rights(_context: Any, _revision: Any, directives: Iterable[Any]) -> None:
    """Let the service's role read, insert and update each table that a generated script makes.

    Whoever writes an append-only table takes UPDATE out of the script again.
    """
    for script in directives:
        made = [one for one in script.upgrade_ops.ops if isinstance(one, ops.CreateTableOp)]
        for table in made:
            sql = f"GRANT SELECT, INSERT, UPDATE ON {table.table_name} TO qx_app"
            script.upgrade_ops.ops.append(ops.ExecuteSQLOp(sql))


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    """Write SQLModel's strings as SQLAlchemy's, so that a script needs no SQLModel."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})"
    return False


def take_turn(connection: Connection) -> None:
    """Wait until no other process migrates the database; the turn ends with the connection.

    By asking again: a statement that waits holds a snapshot, and CREATE INDEX CONCURRENTLY of
    the other process would wait for its end.
    """
    turn = text(f"SELECT pg_try_advisory_lock({LOCK_KEY})")
    while not connection.execute(turn).scalar_one():
        connection.commit()
        time.sleep(LOOK_EVERY_S)
    connection.commit()


def run(connection: Connection) -> None:
    take_turn(connection)
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
        render_item=render_item,
        process_revision_directives=grant_rights,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_async() -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None, "run through `qingxiang migrate`, which knows the database"
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(run_async())
