"""Reads of minutes, such as a verification: on connections of their own without time-outs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from app.core.db import Database
from app.core.replicas import Replicas


@asynccontextmanager
async def long_reads(
    url: str, read_urls: Sequence[str], *, lag_s: float
) -> AsyncIterator[Replicas]:
    """Open pools of the database and its replicas, with two connections for reading in each."""
    database = Database(url, pool_size=4, patient=True)
    replicas = Replicas(database, url, read_urls, size=2, lag_s=lag_s, patient=True)
    try:
        async with replicas.watched():
            await replicas.settle()
            yield replicas
    finally:
        await replicas.close()
        await database.close()
