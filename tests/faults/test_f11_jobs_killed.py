"""F11: workers, the web and PostgreSQL are killed in the middle of every job and of proposals.

Run again, the jobs end their work: each award is released and paid once, each lot emptied
once, each proposal given once, months and seals are as if nothing had happened.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count, takewhile
from typing import Any
from uuid import uuid4

import psutil
import pytest
import pytest_asyncio

from app.embedded import databases
from app.embedded.layout import Places
from app.jobs import funds
from app.models.people import Role
from app.runtime import open_runtime
from bench.crowd import Crowd, lists
from bench.scratch import scratch_engines
from bench.service import PROJECT, WORKERS, Service, running
from tests.engines import as_owner
from tests.factories.people import appoint
from tests.faults.load import Ask, different
from tests.faults.measured import Measured
from tests.faults.originals import Original
from tests.faults.server import command, environment, free_port
from tests.faults.stage import API, Stage, patient
from tests.faults.victims import kill, serving
from tests.faults.waiting import eventually
from tests.faults.works import AT_ONCE, Works, closed_months, left, wrong

pytestmark = pytest.mark.faults

CONTROL_KILLS = 3
PROPOSALS, PROPOSALS_A_SECOND = 60, 0.8
LONGEST_LIFE_S, PATIENCE_S = 0.5, 2.0
START_S, END_S, DEADLINE_S = 30, 60, 150
LOOK_EVERY_S = 0.002

WORKER = tuple(command("worker"))
_numbers = count(1)
# A transaction has a number from its first write on. Jobs write no new award: proposals do.
_WRITING = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND datname LIKE 'run%' AND query LIKE $1
"""
ANYTHING, A_PROPOSAL = "%", "%INSERT INTO awards (%"
MOMENTS = [*[ANYTHING] * 6, *[A_PROPOSAL] * 4]

Strike = Callable[[psutil.Process, str], None]


@pytest_asyncio.fixture(scope="module")
async def prepared() -> AsyncIterator[Original]:
    """Engines with a database full of work."""
    with scratch_engines() as (directory, found):
        made = Original(directory, found, "works")
        async with open_runtime(await made.make()) as runtime:
            await Works(runtime, Crowd(runtime)).prepare()
        yield made


@asynccontextmanager
async def web(prepared: Original) -> AsyncIterator[Stage]:
    """Serve a copy of the work over HTTP, with no job running."""
    number = next(_numbers)
    name = f"run_{number}"
    await prepared.copy(name)
    settings, port = prepared.settings(name, redis_db=number), free_port()
    words = [
        *(sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory"),
        *("--port", str(port), "--workers", str(WORKERS), "--no-access-log"),
    ]
    variables = {
        "QX_DATA_DIR": str(settings.data_dir),
        "QX_DATABASE_URL": str(settings.database_url),
        "QX_REDIS_URL": str(settings.redis_url),
        "QX_LOG_FORMAT": "json",
    }
    url, log = f"http://127.0.0.1:{port}", prepared.directory / f"{name}.log"
    with running(words, variables, log, f"{url}/readyz") as process:
        service = Service(url, settings, process)
        async with open_runtime(settings) as opened:
            runtime = replace(opened, database=patient(service))
            try:
                yield Stage(service, runtime, Crowd(runtime))
            finally:
                await runtime.database.close()


@asynccontextmanager
async def jobs(one: Stage, words: Sequence[str] = WORKER) -> AsyncIterator[psutil.Popen]:
    """Run a worker, which begins with every job at once; killed at the end."""
    settings, log = one.service.settings, one.data_dir / f"jobs_{next(_numbers)}.log"
    variables = environment(
        settings.data_dir,
        database_url=str(settings.database_url),
        redis_url=str(settings.redis_url),
        log_format="json",
    )
    with log.open("wb") as out:
        worker = psutil.Popen(words, cwd=PROJECT, env=variables, stdout=out, stderr=out)

    async def ready() -> bool:
        assert worker.poll() is None, log.read_text()[-2000:]
        return b"worker_ready" in log.read_bytes()

    try:
        await eventually(ready, START_S)
        yield worker
    finally:
        with suppress(psutil.NoSuchProcess):
            worker.kill()
        worker.wait(10)


async def killed_again_and_again(
    one: Stage,
    moments: Sequence[str],
    strike: Strike,
    words: Sequence[str] = WORKER,
) -> Counter[str]:
    """Start a worker and strike, for each moment; count the strikes that met it.

    Each strikes at a random moment of the worker's life, as soon as anybody writes that.
    Counted too are the lives that began with a part of some work done, by that work.
    """
    dice, met = random.Random(11), Counter[str]()
    async with one.look() as tx:
        whole = await left(tx)
    for moment in moments:
        async with jobs(one, words) as worker:
            async with one.look() as tx:
                met.update(what for what, n in (await left(tx)).items() if n < whole.get(what, 0))
            await asyncio.sleep(dice.uniform(0, LONGEST_LIFE_S))
            met[moment] += await somebody_writes(one, moment)
            strike(worker, moment)
    return met


async def somebody_writes(one: Stage, what: str) -> bool:
    """Return as soon as a transaction is writing it; False if none does for a while."""
    connection = await databases.connect(Places.of(one.data_dir).urls().admin_database_url)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not await connection.fetchval(_WRITING, what):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        return True
    finally:
        connection.terminate()


async def proposals(one: Stage) -> list[Ask]:
    """Organizers about to propose a commendation for five hundred people each, with a key."""
    street = await one.crowd.org()
    organizers = await one.residents(PROPOSALS)
    async with one.runtime.database.transaction() as tx:
        for organizer in organizers:
            await appoint(tx, organizer.id, Role.organizer, org=street.id)
    people = await one.residents(PROPOSALS * AT_ONCE)
    return [
        Ask(
            "POST",
            f"{API}/awards",
            organizer.id,
            organizer.token,
            key=str(uuid4()),
            body=json.dumps(
                {
                    "rule_key": "commendation",
                    "org_id": str(street.id),
                    "person_ids": [str(person.id) for person in part],
                    "evidence": {"document": "扬青发〔2026〕3号", "public_notice": "已公示五日"},
                }
            ),
        )
        for organizer, part in zip(organizers, lists(people, AT_ONCE), strict=True)
    ]


async def all_is_done_once(one: Stage, measured: Measured, strike: Strike, what: str) -> None:
    """Strike in the middle of everything; run again; look."""
    asks, started, over = await proposals(one), time.monotonic(), asyncio.Event()
    during = takewhile(lambda _: not over.is_set(), asks)
    load = one.load(during, connections=2, rate=PROPOSALS_A_SECOND)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        met = await killed_again_and_again(one, MOMENTS, strike)
        over.set()
    await one.settled()
    async with one.look() as tx:
        undone = await left(tx)
    async with jobs(one):
        await eventually(lambda: nothing_left(one), END_S)
    again = one.load([ask for ask, _ in load.kept])
    await again.run()
    other = different(load.good, again.good)
    async with one.look() as tx:
        found, months = await wrong(tx), await closed_months(tx)
    taken = time.monotonic() - started
    landed = f"{met[ANYTHING] + met[A_PROPOSAL]}, {met[A_PROPOSAL]}"
    halves = sorted(met.keys() - {ANYTHING, A_PROPOSAL})
    measured("F11", f"kills of {what}", f"{len(MOMENTS)} in {taken:.0f} s")
    measured("F11", "in a transaction, in a proposal's", landed)
    measured("F11", "cut in the middle", ", ".join(halves))
    measured("F11", "done twice, by halves or not", found or 0)
    tries = f"{len(load.good)}, {load.statuses[0]}, {load.statuses[503]}"
    measured("F11", "proposals, attempts without a reply, told 503", tries)
    assert (found, other, len(load.good)) == ({}, 0, len(load.kept)), load.statuses
    assert undone, "the jobs were done before the last kill: give them more to do"
    assert {"awards to release", "lots to empty", "holds to release"} <= set(halves)
    assert min(met[ANYTHING], met[A_PROPOSAL]) > 0
    assert await one.ledger_differences() == []
    assert months == await written_anew(one)


async def nothing_left(one: Stage) -> bool:
    async with one.look() as tx:
        return not await left(tx)


async def written_anew(one: Stage) -> list[tuple[Any, ...]]:
    """Forget every month and close them again, undisturbed."""
    await as_owner(one.service.settings, "DELETE FROM fund_months")
    await funds.write_months(one.runtime)
    async with one.look() as tx:
        return await closed_months(tx)


async def test_the_app_is_killed_in_the_middle(prepared: Original, measured: Measured) -> None:
    async with web(prepared) as one:

        def strike(worker: psutil.Process, moment: str) -> None:
            kill([worker, *(serving(one.service) if moment == A_PROPOSAL else ())])

        await all_is_done_once(one, measured, strike, "workers and the web")


async def test_postgres_is_killed_in_the_middle(prepared: Original, measured: Measured) -> None:
    async with web(prepared) as one:
        await all_is_done_once(one, measured, lambda *_: kill(one.postgres()), "PostgreSQL")


async def test_control_a_worker_without_transactions(
    prepared: Original, measured: Measured
) -> None:
    """What it had begun when it was killed is done by halves, and stays so."""
    flawed = (sys.executable, "-m", "tests.faults.flawed_worker")
    async with web(prepared) as one:
        await killed_again_and_again(
            one, [ANYTHING] * CONTROL_KILLS, lambda worker, _: kill([worker]), flawed
        )

        async def holds_are_done() -> bool:
            async with one.look() as tx:
                return not {"holds to release", "people to tell"} & (await left(tx)).keys()

        async with jobs(one):
            await eventually(holds_are_done, END_S)
        async with one.look() as tx:
            found = await wrong(tx)
    halves = {what: number for what, number in found.items() if what in {"holds", "goods"}}
    measured("F11", "control: by halves without transactions", halves)
    assert halves
