"""Damage that is undone again, so that many tests can damage one ledger, which is made once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from sqlalchemy import make_url

from app.core.db import Database
from app.embedded.layout import Engines
from app.runtime import Runtime
from app.services.ledger import verification
from app.services.ledger.verification import Report


class _UndoneError(Exception):
    """Rolls the transaction back."""


@dataclass(frozen=True)
class Damageable:
    """A ledger, a superuser's connections to its database, and the names of rows in it."""

    runtime: Runtime
    superuser: Database
    names: Mapping[str, Any]

    async def verified(self) -> Report:
        async with self.superuser.snapshot() as tx:
            return await verification.verify(tx)

    async def damaged(self, statements: str) -> Report:
        """Verify inside a transaction with these statements, which are then undone.

        ``{person}`` and so on in them stand for ``names``. Triggers and constraints hold as they
        do for everybody, except those that are deferred to the end of the transaction.
        """
        report: Report | None = None
        with suppress(_UndoneError):
            async with self.superuser.transaction() as tx:
                await tx.fetch("SELECT 1", {})  # begins it
                connection = await (await tx.connection()).get_raw_connection()
                assert connection.driver_connection is not None
                await connection.driver_connection.execute(statements.format(**self.names))
                report = await verification.verify(tx)
                raise _UndoneError
        assert report is not None
        return report


@asynccontextmanager
async def damageable(
    application: FastAPI, engines: Engines, **names: Any
) -> AsyncIterator[Damageable]:
    """Yield the ledger of a running application, which verifies before and after."""
    runtime: Runtime = application.state.runtime
    assert runtime.settings.database_url is not None
    name = make_url(runtime.settings.database_url).database
    url = make_url(engines.admin_database_url).set(database=name)
    superuser = Database(url.render_as_string(hide_password=False), pool_size=2, patient=True)
    found = Damageable(runtime, superuser, names)
    try:
        assert (await found.verified()).holds
        yield found
        assert (await found.verified()).holds, "some damage was not undone"
    finally:
        await superuser.close()
