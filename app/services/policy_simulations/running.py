"""Running simulations: claimed by a worker, replayed on one snapshot, written when whole.

A worker that is killed leaves a simulation that runs but is silent: another begins it again, from
nothing. Each write names the attempt that it belongs to, and is refused once another has begun or
the simulation is cancelled. The result and the last people are written in one transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from app.core.clock import now
from app.core.db import Database, ReadPool, Session
from app.core.errors import Busy
from app.models.policy_simulations import PolicySimulation
from app.models.policy_simulations import PolicySimulationState as State
from app.queries import policy_simulations as queries
from app.queries.awards import attendance
from app.queries.policy_simulations import Running
from app.services import orgs, policy_drafts
from app.services.awards import simulation
from app.services.awards.simulation import Earner
from app.services.policies import history, publishing
from app.services.policies.history import ROOT, PolicyMissing
from app.services.policies.reading import PolicyInvalid
from app.services.policy_simulations import results

log = structlog.get_logger(__name__)
# A worker writes this often, and is taken for dead when it was not heard of for so long.
BEAT_EVERY_S, SILENT_FOR = 10.0, timedelta(seconds=60)
# After so many workers died of it, it fails.
MAX_ATTEMPTS = 5
PEOPLE_AT_ONCE = 500
Beat = Callable[[Session], Awaitable[None]]


class Overtaken(Exception):
    """The simulation was cancelled, or another worker runs it: nothing more may be written."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A simulation that this worker runs."""

    simulation: PolicySimulation
    attempt: int

    @property
    def running(self) -> Running:
        return self.simulation.id, self.attempt


async def claim(tx: Session) -> Claimed | None:
    """Claim the next simulation to run; None if there is none."""
    found = await queries.claim(tx, SILENT_FOR)
    if found is None:
        return None
    if found.attempts >= MAX_ATTEMPTS:
        await _fail(tx, (found.id, found.attempts), Busy.code)
        return None
    return Claimed(found, await queries.begin(tx, found.id))


async def run(database: Database, pool: ReadPool, claimed: Claimed, beat: Beat) -> None:
    """Run a simulation to its end: done or failed, unless it is overtaken.

    ``pool``: without time-outs of statements, for one snapshot. ``beat`` is called in each
    transaction that tells that the worker lives. Raises Overtaken.
    """
    async with _beating(database, claimed, beat):
        try:
            await _replay(database, pool, claimed, beat)
        except (PolicyInvalid, PolicyMissing, orgs.OrgNotFound) as error:
            # The rules above it have changed since it was asked for.
            log.warning("simulation_failed", error=type(error).__name__)
            async with database.transaction() as tx:
                await _fail(tx, claimed.running, policy_drafts.DraftInvalid.code)


async def _replay(database: Database, pool: ReadPool, claimed: Claimed, beat: Beat) -> None:
    one, writer = claimed.simulation, _Writer(database, claimed, beat)
    async with pool.snapshot() as tx:
        org = await orgs.get(tx, one.org_id) if one.org_id else None
        draft = await publishing.draft(tx, one.source, org)
        window = simulation.window_of(draft, one.first_day, one.last_day)
        writer.total = await attendance.count_people(tx, window)
        found = await simulation.simulate(tx, draft, one.first_day, one.last_day, writer.add)
        current = (await history.load(tx)).policy(now(), org.path if org else ROOT)
    result = results.result_of(found, draft.policy.document, current.document)
    await writer.write(state=State.done, result=result, ended_at=now())


class _Writer:
    """Collects people, and writes them in transactions of ``PEOPLE_AT_ONCE``."""

    def __init__(self, database: Database, claimed: Claimed, beat: Beat) -> None:
        self._database, self._claimed, self._beat = database, claimed, beat
        self._rows: list[dict[str, Any]] = []
        self._done = 0
        self.total = 0

    async def add(self, earner: Earner | None) -> None:
        self._done += 1
        if earner is not None:
            simulation_id = {"simulation_id": self._claimed.simulation.id}
            self._rows.append(results.row_of(earner) | simulation_id)
        if self._done % PEOPLE_AT_ONCE == 0:
            await self.write()

    async def write(self, **end: Any) -> None:
        """Write the progress, or the end. Raises Overtaken."""
        progress = {"people_done": self._done, "people_total": max(self.total, self._done)}
        async with self._database.transaction() as tx:
            await _tell(tx, self._claimed, self._beat, **progress, **end)
            await queries.add_people(tx, self._rows)
        self._rows.clear()


async def _tell(tx: Session, claimed: Claimed, beat: Beat, **values: Any) -> None:
    """Write to the simulation. Raises Overtaken, which rolls the transaction back."""
    if not await queries.tell(tx, claimed.running, **values):
        raise Overtaken
    await beat(tx)


@asynccontextmanager
async def _beating(database: Database, claimed: Claimed, beat: Beat) -> AsyncIterator[None]:
    """Tell every ``BEAT_EVERY_S`` that the worker lives, while the database sorts or is slow."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            with suppress(Busy, Overtaken):  # the next write of the replay says so
                async with database.transaction() as tx:
                    await _tell(tx, claimed, beat)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _fail(tx: Session, running: Running, code: str) -> None:
    if await queries.tell(tx, running, state=State.failed, failure=code, ended_at=now()):
        await queries.forget_people(tx, running[0])
