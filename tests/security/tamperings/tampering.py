"""A change by a superuser, and the check of ``ledger verify`` that tells it.

A statement of SQL is formatted with the ids of ``tampering_world``. ``told_by`` is the beginning
of the check's name; ``row`` is in the subject of the difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SEAL_OF_FACTS = "sealed facts"


@dataclass(frozen=True)
class Tampering:
    """``by_seal``: told only if the seals that somebody kept are given."""

    sql: str
    told_by: str
    row: str
    by_seal: bool = False


@dataclass(frozen=True)
class Untold:
    """``what`` and ``reason`` stand in docs/security.md too."""

    what: str
    sql: str
    reason: str


Tamperings = Mapping[str, tuple[Tampering | Untold, ...]]  # by table


def change(table: str, to: str, row: str, key: str = "id") -> str:
    return f"UPDATE {table} SET {to} WHERE {key} = '{{{row}}}'"  # noqa: S608


def delete(table: str, row: str, key: str = "id") -> str:
    return f"DELETE FROM {table} WHERE {key} = '{{{row}}}'"  # noqa: S608
