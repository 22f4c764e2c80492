"""Verification: recompute every balance, number, lot and seal, and say what differs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.db import Session
from app.queries import ledger as queries
from app.services.ledger.seals import broken_seals


@dataclass(frozen=True)
class Difference:
    check: str
    subject: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class Report:
    """What was read (rows by table), how many checks ran, and every difference."""

    rows: dict[str, int]
    checks: int
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        return not self.differences


async def verify(tx: Session, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Run every check. The caller gives one snapshot, so it may run while the service works."""
    rows = await queries.count_rows(tx)
    found = []
    for check in queries.CHECKS:
        progress(check.name)
        found += [
            Difference(check.name, subject, expected, actual)
            for subject, expected, actual in await queries.differences(tx, check)
        ]
    found += [
        Difference("seals: each day's tree and the chain of days", where, expected, actual)
        for where, expected, actual in await broken_seals(tx, progress)
    ]
    return Report(rows=rows, checks=len(queries.CHECKS) + 1, differences=found)
