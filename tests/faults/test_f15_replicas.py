"""F15: a read replica lags, stops, comes back: no answer is later than the bound, none is lost.

Two applications stand for two hosts; each has its own connections and measures by itself.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.core.db import Database, ReadPool
from app.core.replicas import Replicas
from app.core.settings import Settings
from app.main import create_app
from app.models.activities import Activity, ActivityStatus
from app.runtime import Runtime
from tests.engines import SECRET
from tests.factories.activities import make_activity
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.rewards import make_counter, make_reward
from tests.faults.cluster import Cluster, clusters, migrated
from tests.faults.measured import Measured
from tests.faults.server import run
from tests.faults.valkey import private_valkey
from tests.faults.waiting import eventually

pytestmark = pytest.mark.faults

# A bound that a test reaches, and one that no test does.
BOUND_S, NEVER_S = 3.0, 60.0
READERS = 12
# Recovery waits for no query of the standby.
STANDBY = {"hot_standby_feedback": "off", "max_standby_streaming_delay": "0"}
API = "/api/v1"
SERVED = re.compile(r'^qingxiang_replica_reads_total\{server="1"\} (\d+)', re.MULTILINE)


@dataclass
class Host:
    """One application, whose replica is used when the block of ``serving`` begins."""

    api: httpx.AsyncClient
    runtime: Runtime

    async def replica(self) -> Any:
        return (await self.api.get("/readyz")).json()["replicas"][0]

    async def uses_it(self) -> bool:
        return bool((await self.replica())["is_used"])

    async def rests_it(self) -> bool:
        return not await self.uses_it()

    async def served(self) -> int:
        """Return the reads that replicas served, of all hosts in this process."""
        found = SERVED.search((await self.api.get("/metrics")).text)
        return int(found[1]) if found else 0

    async def publish(self, activity: Activity, organizer: TestPerson) -> None:
        path = f"{API}/activities/{activity.id}/publish"
        assert (await self.api.post(path, headers=organizer.headers)).status_code == 200

    async def shows(self, activity: Activity, reader: TestPerson | None = None) -> set[bool]:
        """Tell whether it is seen in the list of its organisation, and on its own page."""
        headers = reader.headers if reader else {}
        asked = {"org_id": str(activity.org_id), "starts_after": "2000-01-01T00:00:00Z"}
        listed = await self.api.get(f"{API}/activities", params=asked, headers=headers)
        page = await self.api.get(f"{API}/activities/{activity.id}", headers=headers)
        is_listed = str(activity.id) in [one["id"] for one in listed.json()["items"]]
        published = page.status_code == 200 and page.json()["status"] == "published"
        return {is_listed, published}


@dataclass
class Field:
    """A primary, its replica, and the means to serve from them."""

    primary: Cluster
    standby: Cluster
    settings: Settings

    @asynccontextmanager
    async def serving(self, lag_s: float = NEVER_S) -> AsyncIterator[Host]:
        app = create_app(self.settings.model_copy(update={"replica_lag_s": lag_s}))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as api,
        ):
            host = Host(api, app.state.runtime)
            await eventually(host.uses_it)
            yield host

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Let the replica show what it shows now, and nothing newer."""
        await self.caught_up()
        await self.standby.fetch("SELECT pg_wal_replay_pause()")

        async def stands() -> bool:
            state = await self.standby.value("SELECT pg_get_wal_replay_pause_state()")
            return bool(state == "paused")

        try:
            await eventually(stands)
            yield
        finally:
            await self.standby.fetch("SELECT pg_wal_replay_resume()")

    async def caught_up(self) -> None:
        wanted = await self.primary.value("SELECT pg_current_wal_flush_lsn()")

        async def reached() -> bool:
            asked = "SELECT pg_last_wal_replay_lsn() >= $1"
            return bool(await self.standby.value(asked, wanted))

        await eventually(reached)

    def processes(self) -> list[psutil.Process]:
        pid = int((self.standby.places.postgres / "postmaster.pid").read_text().split()[0])
        server = psutil.Process(pid)
        return [server, *server.children()]


@pytest_asyncio.fixture(scope="module")
async def field(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    folder = tmp_path_factory.mktemp("f15")
    with clusters(folder, "a", "b") as (primary, standby), private_valkey(folder) as valkey:
        primary.create()
        await primary.start()
        await migrated(primary)
        await follow(standby, primary)
        settings = Settings(
            data_dir=folder,
            database_url=primary.urls.database_url,
            database_read_urls=(standby.urls.database_url,),
            redis_url=valkey.url,
            secret_key=SecretStr(SECRET),
            rate_limits="off",
            log_level="warning",
        )
        yield Field(primary, standby, settings)


async def follow(standby: Cluster, primary: Cluster) -> None:
    await asyncio.to_thread(standby.copy, primary, "--write-recovery-conf")
    await standby.start(**STANDBY)


async def draft(host: Host) -> tuple[Activity, TestPerson]:
    activity = await make_activity(host.runtime, status=ActivityStatus.draft)
    return activity, await make_organizer(host.runtime, activity.org_id)


async def test_a_replica_serves_and_own_writes_are_seen(field: Field) -> None:
    """The writer reads at another host; everybody else sees what the replica has."""
    async with field.serving() as first, field.serving() as second:
        activity, organizer = await draft(first)
        somebody = await make_person(first.runtime)
        async with field.paused():
            served = await first.served()
            assert await second.shows(activity) == {False}
            assert await first.served() > served
            await first.publish(activity, organizer)
            assert await second.shows(activity, organizer) == {True}
            assert await second.shows(activity, somebody) == {False}
            assert await second.shows(activity) == {False}

        async def seen() -> bool:
            return await second.shows(activity) == {True}

        await eventually(seen)


async def test_without_the_rule_a_writer_misses_the_own_write(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the second host forgets who has written."""
    async with field.serving() as first, field.serving() as second:
        activity, organizer = await draft(first)

        async def nobody(_: object) -> bool:
            return False

        monkeypatch.setattr(second.runtime.writers, "has", nobody)
        async with field.paused():
            await first.publish(activity, organizer)
            assert await second.shows(activity, organizer) == {False}
            assert await first.shows(activity, organizer) == {True}


async def test_no_answer_is_later_than_the_bound(field: Field, measured: Measured) -> None:
    """The control beside it has a bound that is not reached, and still hides what is new."""
    async with field.serving(BOUND_S) as bound, field.serving() as control:
        activity, organizer = await draft(bound)
        hidden = Counter[bool]()
        async with field.paused():
            await bound.publish(activity, organizer)
            published = time.monotonic()
            while (asked := time.monotonic()) < published + 2 * BOUND_S:
                shown = await bound.shows(activity)
                if asked > published + BOUND_S:
                    assert shown == {True}
                hidden[shown != {True}] += 1
            assert await bound.rests_it()
            assert await control.shows(activity) == {False}
            assert (await bound.api.get("/readyz")).json()["status"] == "degraded"
        await eventually(bound.uses_it)
        assert hidden[True] > 0, "the replica was asked, or this shows nothing"
        measured("F15", "replay paused: answers within the bound, stale after it", f"{hidden}, 0")


async def test_files_are_of_the_replica(field: Field) -> None:
    async with field.serving() as host:
        counter, reader = await make_counter(host.runtime), await make_person(host.runtime)

        async def lines() -> int:
            asked = {"org_id": str(counter.merchant.org_id), "purpose": "盘点"}
            path = f"{API}/rewards.csv"
            file = await host.api.get(path, params=asked, headers=reader.headers)
            assert file.status_code == 200, file.text
            return file.text.count("\r\n")

        async def has_the_reward() -> bool:
            return await lines() == 2

        async with field.paused():
            await make_reward(host.runtime, counter)
            assert await lines() == 1  # the headings
        await eventually(has_the_reward)


async def test_the_ledger_is_verified_on_the_replica(field: Field) -> None:
    async def scans(cluster: Cluster) -> int:
        asked = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'ledger_transfers'"
        return int(await cluster.value(asked))

    def verify(**settings: str) -> None:
        url = str(field.settings.database_url)
        where = {"database_url": url, "redis_url": str(field.settings.redis_url)}
        done = run(field.settings.data_dir, "ledger", "verify", **where, **settings)
        assert done.returncode == 0, done.stderr

    before = [await scans(one) for one in (field.primary, field.standby)]
    await asyncio.to_thread(verify, database_read_urls=field.settings.database_read_urls[0])
    after = [await scans(one) for one in (field.primary, field.standby)]
    assert (after[0], after[1] > before[1]) == (before[0], True)
    await asyncio.to_thread(verify)
    assert await scans(field.primary) > before[0], "the control: without a replica"


Strike = Callable[[Field], Awaitable[None]]


async def kill(field: Field) -> None:
    field.standby.kill()


async def start(field: Field) -> None:
    await field.standby.start(**STANDBY)


async def freeze(field: Field) -> None:
    for process in field.processes():
        process.suspend()


async def thaw(field: Field) -> None:
    for process in field.processes():
        process.resume()


@pytest.mark.parametrize(("strike", "mend"), [(kill, start), (freeze, thaw)])
async def test_a_replica_that_stops_costs_nobody_an_answer(
    field: Field, measured: Measured, strike: Strike, mend: Strike
) -> None:
    """A read that it does not answer is repeated on the primary."""
    statuses = Counter[int]()
    async with field.serving(BOUND_S) as host:
        activity, _ = await draft(host)
        paths = ("/activities", f"/activities/{activity.id}", "/leaderboards", "/orgs")

        async def read(path: str) -> None:
            while not over.is_set():
                statuses[(await host.api.get(f"{API}{path}")).status_code] += 1

        async def more() -> None:
            wanted = statuses.total() + 20 * READERS

            async def enough() -> bool:
                return statuses.total() >= wanted

            await eventually(enough)

        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(READERS):
                group.create_task(read(paths[number % len(paths)]))
            await more()
            await strike(field)
            await eventually(host.rests_it)
            await more()
            await mend(field)
            await eventually(host.uses_it)
            served = await host.served()
            await more()
            over.set()
        assert await host.served() > served, "it is used again"
        assert statuses[200] > 0
        assert set(statuses) == {200, 404}, statuses  # a draft is not found
        measured("F15", f"reads by status, replica {strike.__name__}", dict(statuses))


async def test_a_replica_that_started_anew_is_measured_first(field: Field) -> None:
    """It may show less than before; that its connections are closed tells so."""
    url = str(field.settings.database_url)
    database = Database(url, pool_size=2)
    replicas = Replicas(database, url, field.settings.database_read_urls, size=2, lag_s=NEVER_S)
    [replica] = replicas.each

    async def served(pool: ReadPool) -> ReadPool:
        async with pool.read() as tx:
            await tx.fetch("SELECT 1 AS one", {})
        return pool

    async with replicas.watched():
        await replicas.settle()
        assert await replicas.run(served) is replica
    # Nothing measures it from here on.
    await kill(field)
    await start(field)
    assert replicas.source() is replica
    assert await replicas.run(served) is database
    assert replicas.source() is database
    async with replicas.watched():
        await replicas.settle()
        assert await replicas.run(served) is replica
    await replicas.close()
    await database.close()


async def test_a_long_read_that_recovery_cancels_runs_on_the_primary(field: Field) -> None:
    url = str(field.settings.database_url)
    database = Database(url, pool_size=2)
    standby = field.settings.database_read_urls
    replicas = Replicas(database, url, standby, size=1, lag_s=NEVER_S)
    asked: list[ReadPool] = []

    async def work(pool: ReadPool) -> int:
        asked.append(pool)
        async with pool.snapshot() as tx:
            await tx.fetch("SELECT count(*) FROM people", {})
            if pool is not database:
                await _vacuumed(field)
            [row] = await tx.fetch("SELECT count(*) AS people FROM people", {})
        return int(row.people)

    async with field.serving() as host, replicas.watched():
        await make_person(host.runtime)
        await replicas.settle()
        assert await replicas.run(work) > 0
    assert asked == [*replicas.each, database]
    await replicas.close()
    await database.close()


async def _vacuumed(field: Field) -> None:
    """Remove versions of rows that an open snapshot of the replica may need."""
    renamed = "UPDATE people SET display_name = display_name"
    for statement in (renamed, "VACUUM people", renamed):  # a commit flushes what went before
        await field.primary.fetch(statement)
    await field.caught_up()


async def test_a_replica_that_is_promoted_is_not_used(field: Field, tmp_path: Path) -> None:
    url = str(field.settings.database_url)
    database = Database(url, pool_size=2)
    with clusters(tmp_path, "c") as [promoted]:
        await follow(promoted, field.primary)
        replicas = Replicas(database, url, [promoted.urls.database_url], size=1, lag_s=NEVER_S)
        async with replicas.watched():
            await replicas.settle()
            assert replicas.source() is replicas.each[0]
            await promoted.promote()

            async def rests() -> bool:
                return not replicas.each[0].is_fresh

            await eventually(rests)
            assert replicas.source() is database
        await replicas.close()
    await database.close()
