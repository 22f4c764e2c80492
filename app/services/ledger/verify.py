"""Verification: recompute every balance, number, lot and seal, and say what differs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.db import Session
from app.queries import ledger as queries
from app.queries.ledger import Check
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


class Progress:
    """How far a verification is: ``done`` steps of ``total``, and what it looks at now."""

    def __init__(self, tell: Callable[[str, int, int], None], total: int) -> None:
        self._tell = tell
        self._total = total
        self._done = 0

    def __call__(self, step: str) -> None:
        """Begin a step."""
        self._tell(step, self._done, self._total)
        self._done += 1


async def verify(
    tx: Session, tell: Callable[[str, int, int], None] = lambda _step, _done, _total: None
) -> Report:
    """Run every check. The caller gives one snapshot, so it may run while the service works.

    Where a probe finds nothing wrong, the checks behind it are not run one by one. ``tell``
    hears of each step, with how many are done of how many.
    """
    await queries.make_room(tx)
    sealed = await queries.chain(tx)
    progress = Progress(tell, len(queries.PROBES) + len(queries.CHECKS) + len(sealed))
    found: list[Difference] = []
    for probe in queries.PROBES:
        progress(probe.name)
        if await queries.suspicious(tx, probe):
            told = await _differences(tx, probe.checks)
            found += told or [Difference(probe.name, "the whole", "one sum", "another")]
    for check in queries.CHECKS:
        progress(check.name)
        found += await _differences(tx, [check])
    found += [
        Difference("seals: each day's tree and the chain of days", where, expected, actual)
        for where, expected, actual in await broken_seals(tx, sealed, progress)
    ]
    checks = sum(len(probe.checks) for probe in queries.PROBES) + len(queries.CHECKS) + 1
    return Report(rows=await queries.count_rows(tx), checks=checks, differences=found)


async def _differences(tx: Session, checks: Sequence[Check]) -> list[Difference]:
    return [
        Difference(check.name, subject, expected, actual)
        for check in checks
        for subject, expected, actual in await queries.differences(tx, check)
    ]
