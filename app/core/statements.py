"""Statements as PostgreSQL itself takes them."""

import re
from functools import lru_cache

_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


@lru_cache(maxsize=500)
def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Write ``:name`` as ``$1``; return the names in order."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _PARAMETER.sub(number, statement), tuple(names)
