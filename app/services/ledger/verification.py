"""Verification: recompute every balance, number, lot and seal, and list all differences."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Any

from app.core.clock import BEGINNING, midnight
from app.core.db import ReadPool, Session
from app.queries.ledger import checking, probing, sealing, sealing_facts
from app.queries.ledger.checking import Check
from app.queries.ledger.probing import PROBES, UNPROBED_CHECKS, Probe
from app.queries.ledger.sealed_facts import FACTS, Fact
from app.queries.ledger.sealing import Sealed
from app.queries.ledger.sealing_facts import Sum
from app.services.ledger import sealed_facts
from app.services.ledger.sealed_facts import A_DAY, Wrong
from app.services.ledger.seals import FIRST_VERSION, broken_chain, broken_tree

SEALS = "seals: each day's tree and the chain of days"
PUBLISHED = "seals: those that were published"
ROOTS = "sealed facts: what is kept of them is under the seals"
ROWS = "sealed facts: each {} is as it was sealed"


@dataclass(frozen=True)
class Difference:
    """A failed check. ``subject`` is the row, such as "account 7 number 3"."""

    check: str
    subject: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class Report:
    """Rows read by table, the number of checks, and the differences (at most 100 per check).

    ``sealed_to`` is the last sealed day, ``head`` its seal. Later transfers are checked by sums
    only: consistent changes of them are not detected. So are those up to ``trusted_to``, the day
    of a given seal from which a routine run went on.
    """

    rows: dict[str, int]
    checks: int
    trusted_to: date | None
    sealed_to: date | None
    head: bytes | None
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        return not self.differences


# A step runs on one of two connections, concurrently with a step on the other.
Step = Callable[[Session], Awaitable[list[Difference]]]
# Called before each step with its name, the number of steps begun, the number of steps.
Tell = Callable[[str, int, int], None]


async def verify_on(
    pool: ReadPool,
    tell: Tell,
    published: Mapping[date, bytes] | None = None,
    since: date | None = None,
) -> Report:
    """Run all checks as ``verify`` does, on one snapshot and two connections of a pool."""
    async with pool.snapshot() as tx, pool.snapshot() as beside:
        return await verify(tx, tell, beside=beside, published=published, since=since)


async def verify(
    tx: Session,
    tell: Tell = lambda _step, _done, _total: None,
    *,
    beside: Session | None = None,
    published: Mapping[date, bytes] | None = None,
    since: date | None = None,
) -> Report:
    """Run all checks on one snapshot; the service may write meanwhile.

    ``tx`` is a snapshot (``Database.snapshot``). ``beside`` is a second one without any query so
    far; it adopts the snapshot of ``tx``, and the steps are shared between both.

    ``published`` holds seals by day that were kept outside this database. The owner of the
    database can rewrite ledger and seals, or remove the newest seals: only these detect it.
    ``since`` is the day of one of them that was verified before: if the chain has it, what is
    sealed up to this day is not recomputed, except for the chain and the sums.
    """
    if beside is not None:
        await probing.share_snapshot(tx, beside)
    seals = await sealing.chain(tx)
    known = {one.day: one.seal for one in seals}
    trusted = since if since and known.get(since) == (published or {})[since] else None
    later = _after(seals, trusted)
    kept = await sealing_facts.kept(tx, later[0].day) if later else {}
    begun = await sealing_facts.kinds(tx)
    differences = await _run(_steps(seals, trusted, kept, begun), tell, tx, beside)
    differences += _named(SEALS, broken_chain(seals))
    differences += _named(ROOTS, sealed_facts.changed_roots(later, kept))
    # Seals and roots are one check each, whatever the number of days.
    checks = sum(len(probe.checks) for probe in PROBES) + len(UNPROBED_CHECKS) + len(FACTS) + 2
    if published:
        checks += 1
        differences += _of_published(published, known)
    return Report(
        rows=await checking.count_rows(tx),
        checks=checks,
        trusted_to=trusted,
        sealed_to=seals[-1].day if seals else None,
        head=seals[-1].seal if seals else None,
        differences=differences,
    )


def _steps(
    seals: Sequence[Sealed],
    trusted: date | None,
    kept: Mapping[date, Sequence[Sum]],
    begun: Collection[str],
) -> dict[str, Step]:
    """Return the steps by name, longest first, so that both connections finish together.

    ``begun``: the facts that any seal covers; before its first seal a newer one is not compared.
    """
    probes = {probe.name: partial(_probe, probe=probe) for probe in PROBES}
    checks = {check.name: partial(_check, check=check) for check in UNPROBED_CHECKS}
    later = _after(seals, trusted)
    days = {f"seal of {one.day}": partial(_day, sealed=one) for one in later}
    with_facts = [one.day for one in seals if one.version > FIRST_VERSION]
    if not later or not with_facts:
        return {**probes, **checks, **days}
    sums = list(chain.from_iterable(kept.values()))
    until = midnight(later[-1].day + A_DAY)
    facts: dict[str, Step] = {}
    for fact in FACTS:
        if fact.is_newer and fact.name not in begun:
            continue
        # The first seal with a fact covers those of all days before.
        first = min([later[0].day, *(one.day for one in sums if one.fact == fact.name)])
        since = BEGINNING if later[0].day <= with_facts[0] else midnight(first)
        step = partial(_fact, fact=fact, kept=sums, span=(since, until))
        facts[ROWS.format(fact.name)] = step
    return {**probes, **facts, **checks, **days}


def _after(seals: Sequence[Sealed], trusted: date | None) -> list[Sealed]:
    return [one for one in seals if trusted is None or one.day > trusted]


async def _run(
    steps: Mapping[str, Step], tell: Tell, tx: Session, beside: Session | None
) -> list[Difference]:
    """Run the steps on one or two connections; return the differences in the order of steps."""
    found: dict[str, list[Difference]] = {}
    queue = iter(enumerate(steps.items()))

    async def work(session: Session) -> None:
        await probing.tune(session, parallel=beside is None)
        for begun, (name, step) in queue:  # both connections take steps from one iterator
            tell(name, begun, len(steps))
            found[name] = await step(session)

    try:
        async with asyncio.TaskGroup() as group:
            for session in (tx, beside):
                if session is not None:
                    group.create_task(work(session))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # one that the pool can translate
    return list(chain.from_iterable(found[name] for name in steps))


async def _probe(tx: Session, probe: Probe) -> list[Difference]:
    """Run a probe; only if it finds a difference, run its checks one by one."""
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


async def _fact(
    tx: Session, fact: Fact, kept: Sequence[Sum], span: tuple[datetime, datetime]
) -> list[Difference]:
    wrong = await sealed_facts.changed_rows(tx, fact, kept, *span)
    return _named(ROWS.format(fact.name), wrong[: checking.MAX_DIFFERENCES])


async def _day(tx: Session, sealed: Sealed) -> list[Difference]:
    return _named(SEALS, await broken_tree(tx, sealed))


def _named(check: str, wrong: Sequence[Wrong]) -> list[Difference]:
    return [Difference(check, where, expected, found) for where, expected, found in wrong]


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
