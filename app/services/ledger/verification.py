"""Verification: recompute every balance, number, lot and seal, and say what differs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain
from typing import Any

from app.core.db import Session
from app.queries.ledger import checking as checking_queries
from app.queries.ledger import probing as probing_queries
from app.queries.ledger import sealing as sealing_queries
from app.queries.ledger.checking import Check
from app.queries.ledger.probing import CHECKS, PROBES, Probe
from app.queries.ledger.sealing import Sealed
from app.services.ledger.seals import Wrong, broken_chain, broken_tree


@dataclass(frozen=True)
class Difference:
    check: str
    subject: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class Report:
    """What was read (rows by table), how many checks ran, and every difference.

    ``sealed_to`` is the last sealed day: what came later only the sums prove.
    """

    rows: dict[str, int]
    checks: int
    sealed_to: date | None
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        return not self.differences


Step = Callable[[Session], Awaitable[list[Difference]]]
Tell = Callable[[str, int, int], None]


async def verify(
    tx: Session,
    tell: Tell = lambda _step, _done, _total: None,
    *,
    beside: Session | None = None,
    published: Mapping[date, bytes] | None = None,
) -> Report:
    """Run every check. The caller gives one snapshot, so it may run while the service works.

    ``published``: seals that somebody kept, by their days. Whoever owns the database can write
    ledger and seals anew, or remove the newest: only these show it.

    Where a probe finds nothing wrong, the checks behind it are not run one by one. With
    ``beside``, a second snapshot that has not looked yet, two cores share the work. ``tell``
    hears of each step, with how many are done of how many.
    """
    if beside is not None:
        await probing_queries.see_the_same(beside, tx)
    sealed = await sealing_queries.chain(tx)
    steps = _steps(sealed)
    found: dict[str, list[Difference]] = {name: [] for name in steps}
    waiting = iter(enumerate(steps.items()))

    async def work(session: Session) -> None:
        await probing_queries.make_room(session, alone=beside is None)
        for done, (name, step) in waiting:
            tell(name, done, len(steps))
            found[name] = await step(session)

    async with asyncio.TaskGroup() as group:
        for session in (tx, beside):
            if session is not None:
                group.create_task(work(session))
    checks = sum(len(probe.checks) for probe in PROBES) + len(CHECKS) + 1
    differences = [*chain.from_iterable(found.values()), *_of_seals(broken_chain(sealed))]
    if published:
        checks += 1
        differences += _kept(published, {one.day: one.seal for one in sealed})
    return Report(
        rows=await checking_queries.count_rows(tx),
        checks=checks,
        sealed_to=sealed[-1].day if sealed else None,
        differences=differences,
    )


def _steps(sealed: Sequence[Sealed]) -> dict[str, Step]:
    """Name what is to be done. The longest come first: at the end nobody waits for long."""
    probes = {probe.name: partial(_probed, probe=probe) for probe in PROBES}
    checks = {check.name: partial(_differences, checks=[check]) for check in CHECKS}
    days = {f"seal of {one.day}": partial(_tree, sealed=one) for one in sealed}
    return {**probes, **checks, **days}


async def _probed(tx: Session, probe: Probe) -> list[Difference]:
    if not await probing_queries.suspicious(tx, probe):
        return []
    told = await _differences(tx, probe.checks)
    return told or [Difference(probe.name, "the whole", "one sum", "another")]


async def _differences(tx: Session, checks: Sequence[Check]) -> list[Difference]:
    return [
        Difference(check.name, subject, expected, actual)
        for check in checks
        for subject, expected, actual in await checking_queries.differences(tx, check)
    ]


async def _tree(tx: Session, sealed: Sealed) -> list[Difference]:
    return _of_seals(await broken_tree(tx, sealed))


def _kept(published: Mapping[date, bytes], sealed: Mapping[date, bytes]) -> list[Difference]:
    name = "seals: those that were published"
    return [
        Difference(name, f"seal of {day}", seal.hex(), sealed[day].hex() if day in sealed else None)
        for day, seal in published.items()
        if sealed.get(day) != seal
    ]


def _of_seals(wrong: Sequence[Wrong]) -> list[Difference]:
    name = "seals: each day's tree and the chain of days"
    return [Difference(name, where, expected, found) for where, expected, found in wrong]
