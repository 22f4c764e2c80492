"""Verification: recompute every balance, number, lot and seal, and list what differs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain
from typing import Any

from app.core.db import Session
from app.queries.ledger import checking, probing, sealing
from app.queries.ledger.checking import Check
from app.queries.ledger.probing import PROBES, UNPROBED_CHECKS, Probe
from app.queries.ledger.sealing import Sealed
from app.services.ledger.seals import Wrong, broken_chain, broken_tree

SEALS = "seals: each day's tree and the chain of days"
PUBLISHED = "seals: those that were published"


@dataclass(frozen=True)
class Difference:
    """What a check found: ``subject`` is the row, such as "account 7 number 3"."""

    check: str
    subject: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class Report:
    """Rows read by table, the number of checks, and every difference (100 of a check at most).

    ``sealed_to`` is the last sealed day. Later transfers are proven by sums alone: whoever
    rewrites them consistently is not found out.
    """

    rows: dict[str, int]
    checks: int
    sealed_to: date | None
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        return not self.differences


# A step runs on one connection, while another step may run on the other.
Step = Callable[[Session], Awaitable[list[Difference]]]
# Called before each step: its name, how many have begun before it, how many there are.
Tell = Callable[[str, int, int], None]


async def verify(
    tx: Session,
    tell: Tell = lambda _step, _done, _total: None,
    *,
    beside: Session | None = None,
    published: Mapping[date, bytes] | None = None,
) -> Report:
    """Run every check on one snapshot, so that the service may go on writing meanwhile.

    ``tx`` is a snapshot (``Database.snapshot``). ``beside`` is a second one that has not run a
    query; it takes over the snapshot of ``tx``, and two cores share the steps.

    ``published`` holds seals by day that were kept outside this database. Whoever owns the
    database can write ledger and seals anew, or remove the newest: only these show it.
    """
    if beside is not None:
        await probing.share_snapshot(tx, beside)
    seals = await sealing.chain(tx)
    differences = await _run(_steps(seals), tell, tx, beside)
    differences += _of_seals(broken_chain(seals))
    checks = sum(len(probe.checks) for probe in PROBES) + len(UNPROBED_CHECKS) + 1  # the seals
    if published:
        checks += 1
        differences += _of_published(published, {one.day: one.seal for one in seals})
    return Report(
        rows=await checking.count_rows(tx),
        checks=checks,
        sealed_to=seals[-1].day if seals else None,
        differences=differences,
    )


def _steps(seals: Sequence[Sealed]) -> dict[str, Step]:
    """Return the steps by name, the longest first: so both connections end at about one time."""
    probes = {probe.name: partial(_probe, probe=probe) for probe in PROBES}
    checks = {check.name: partial(_check, check=check) for check in UNPROBED_CHECKS}
    days = {f"seal of {one.day}": partial(_day, sealed=one) for one in seals}
    return {**probes, **checks, **days}


async def _run(
    steps: Mapping[str, Step], tell: Tell, tx: Session, beside: Session | None
) -> list[Difference]:
    """Run the steps on one or two connections; return the differences in the order of steps."""
    found: dict[str, list[Difference]] = {}
    queue = iter(enumerate(steps.items()))

    async def work(session: Session) -> None:
        await probing.tune(session, parallel=beside is None)
        for begun, (name, step) in queue:  # the connections take turns at one iterator
            tell(name, begun, len(steps))
            found[name] = await step(session)

    async with asyncio.TaskGroup() as group:
        for session in (tx, beside):
            if session is not None:
                group.create_task(work(session))
    return list(chain.from_iterable(found[name] for name in steps))


async def _probe(tx: Session, probe: Probe) -> list[Difference]:
    """Run a probe, and its checks one by one only if it finds a difference."""
    if not await probing.finds_difference(tx, probe):
        return []
    by_check = [await _check(tx, check) for check in probe.checks]
    differences = list(chain.from_iterable(by_check))
    return differences or [Difference(probe.name, "the whole", "one sum", "another")]


async def _check(tx: Session, check: Check) -> list[Difference]:
    return [
        Difference(check.name, subject, expected, found)
        for subject, expected, found in await checking.differences(tx, check)
    ]


async def _day(tx: Session, sealed: Sealed) -> list[Difference]:
    return _of_seals(await broken_tree(tx, sealed))


def _of_seals(wrong: Sequence[Wrong]) -> list[Difference]:
    return [Difference(SEALS, where, expected, found) for where, expected, found in wrong]


def _of_published(
    published: Mapping[date, bytes], sealed: Mapping[date, bytes]
) -> list[Difference]:
    return [
        Difference(
            PUBLISHED,
            f"seal of {day}",
            seal.hex(),
            sealed[day].hex() if day in sealed else None,
        )
        for day, seal in published.items()
        if sealed.get(day) != seal
    ]
