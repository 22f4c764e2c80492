"""Runs a command against the configured engines, whether or not the server runs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from app import serve as server
from app.core.db import Database
from app.core.long_reads import long_reads
from app.core.replicas import Replicas
from app.core.settings import Settings, get_settings
from app.migrations import migrate
from app.runtime import Runtime, open_runtime

T = TypeVar("T")
out, err = Console(), Console(stderr=True)
ExistingFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]


def with_database(work: Callable[[Database], Awaitable[T]], *, owner: bool = False) -> T:
    """Run against the database only. Embedded engines are migrated first.

    ``owner``: with the rights of migrations, for what the service's role may not do.
    """

    async def run(settings: Settings) -> T:
        url = server.owner_url(settings) if owner else settings.database_url
        assert url is not None
        database = Database(url, pool_size=4, patient=True)
        try:
            return await work(database)
        finally:
            await database.close()

    return _attached(run)


def with_replicas(work: Callable[[Replicas], Awaitable[T]]) -> T:
    """Run against the database, or a replica of it that is fresh. For reading only."""

    async def run(settings: Settings) -> T:
        assert settings.database_url is not None
        urls = settings.database_url, settings.database_read_urls
        async with long_reads(*urls, lag_s=settings.replica_lag_s) as replicas:
            return await work(replicas)

    return _attached(run)


def with_runtime(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Run against the database and Redis."""

    async def run(settings: Settings) -> T:
        async with open_runtime(settings) as runtime:
            return await work(runtime)

    return _attached(run)


def _attached(run: Callable[[Settings], Awaitable[T]]) -> T:
    given = get_settings()
    with server.attached(given) as settings:
        if given.embedded:
            migrate(server.owner_url(settings))

        async def main() -> T:
            return await run(settings)

        return asyncio.run(main())


def refuse(sentence: str) -> typer.Exit:
    """Print a refusal in red; return the exit to raise."""
    err.print(sentence, style="red", markup=False, highlight=False)
    return typer.Exit(1)
