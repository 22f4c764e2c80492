"""Run migrations as the owner of the schema, one transaction a migration.

``lock_timeout``: a migration that cannot get its lock fails in 5 s instead of queueing
every reader of the table behind it.
"""

import asyncio

from sqlalchemy import Connection, pool, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import app.models  # noqa: F401 - fills the metadata
from alembic import context
from app.models.ledger import Xid8

LOCK_TIMEOUT = "5s"
# So that the drift check can read the column back.
ischema_names["xid8"] = Xid8


def run(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
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
