"""Rows that a migration leaves."""

from typing import Any


async def found(connection: Any, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(query)]
