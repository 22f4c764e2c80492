"""F8: the primary dies under check-ins, its standby takes over, and what was acknowledged is there.

Two clusters change roles. The service knows both by one URL and finds the primary itself.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import httpx
import psutil
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import text

from app.core.db import Database
from app.core.errors import Busy
from app.core.settings import Settings
from app.models.activities import Activity
from app.runtime import Runtime, open_runtime
from app.services.ledger import verification
from tests.engines import SECRET
from tests.factories.activities import current_code, make_activity, sign_up
from tests.factories.http import keyed
from tests.factories.ledger import give_points
from tests.factories.people import TestPerson, make_people, make_person
from tests.factories.rewards import make_counter, make_reward
from tests.faults.cluster import Cluster, any_of, clusters, migrated
from tests.faults.measured import Measured
from tests.faults.server import server
from tests.faults.valkey import private_valkey
from tests.faults.waiting import eventually

pytestmark = pytest.mark.faults

FAILOVERS = 5
PHONES = 32
ACKNOWLEDGED_BEFORE_THE_KILL = 100
# Eight half hours a day earn points, then the cap of the rule is reached.
ACTIVITIES, PEOPLE = 8, 150
UNSENT, TRIES = 12, 2
# How long a standby that lost its primary sleeps before it looks again, and so the most by
# which it is late to hear of its promotion. PostgreSQL's default is 5 s.
RETRY = "200ms"

Pair = tuple[Activity, TestPerson]
Checkins = dict[tuple[UUID, UUID], UUID]  # activity and person → check-in


@dataclass
class Hall:
    """Phones that check in at a service, what they were told, and the clusters behind it.

    ``members``: the primary, then the one that follows it and may take over.
    """

    api: httpx.AsyncClient
    runtime: Runtime
    members: list[Cluster]
    acknowledged: Checkins = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    async def people(self, number: int, activities: int) -> list[Pair]:
        """Sign people up to activities; return every check-in that may come."""
        people = await make_people(self.runtime, number)
        pairs = []
        for _ in range(activities):
            activity = await make_activity(self.runtime, hours=0.5)
            await sign_up(self.runtime, activity, *people)
            pairs += [(activity, person) for person in people]
        # Many activities at once: each is a hot row of its own.
        random.Random(number).shuffle(pairs)
        return pairs

    async def scan(self, pair: Pair) -> bool:
        """Check in; True when it is acknowledged, False when it may be tried again."""
        activity, person = pair
        body = {"code": current_code(self.runtime, activity)}
        reply = await self.api.post("/api/v1/checkins", json=body, headers=person.headers)
        self.statuses[reply.status_code] += 1
        if reply.status_code == 503:
            assert int(reply.headers["retry-after"]) >= 1
            return False
        assert reply.status_code in {200, 201}, reply.text
        told = UUID(reply.json()["checkin"]["id"])
        assert self.acknowledged.setdefault((activity.id, person.id), told) == told
        return True

    async def scan_all(self, pairs: Iterable[Pair]) -> None:
        """Check everybody in, with so many phones; each repeats until it is acknowledged."""
        queue = iter(pairs)

        async def phone() -> None:
            for pair in queue:
                await eventually(partial(self.scan, pair), 30)

        async with asyncio.TaskGroup() as group:
            for _ in range(PHONES):
                group.create_task(phone())

    async def scan_once(self, pairs: Iterable[Pair]) -> Counter[bool]:
        """Check everybody in at once, without repeating."""
        return Counter(await asyncio.gather(*(self.scan(pair) for pair in pairs)))

    async def acknowledges(self, number: int) -> None:
        """Wait for so many more acknowledgements."""
        wanted = len(self.acknowledged) + number

        async def enough() -> bool:
            return len(self.acknowledged) >= wanted

        await eventually(enough, 30)

    async def lost(self) -> Checkins:
        """Return what was acknowledged and is not on the primary."""
        rows = await self.members[0].fetch("SELECT activity_id, person_id, id FROM checkins")
        found = {(row["activity_id"], row["person_id"]): row["id"] for row in rows}
        return dict(self.acknowledged.items() - found.items())

    async def follow(self, *, synchronous: bool) -> None:
        """Make the standby anew; return once it is what commits wait for (or just follows)."""
        primary, standby = self.members
        await asyncio.to_thread(standby.copy, primary, "--write-recovery-conf")
        await standby.start(wal_retrieve_retry_interval=RETRY)
        # Once promoted it must not wait for a standby that it has not got yet.
        await standby.set(synchronous_standby_names="")
        await primary.set(synchronous_standby_names="*" if synchronous else "")
        wanted = "sync" if synchronous else "async"

        async def attached() -> bool:
            rows = await primary.fetch("SELECT sync_state FROM pg_stat_replication")
            return [row["sync_state"] for row in rows] == [wanted]

        await eventually(attached)

    async def stop_sending(self) -> None:
        """Freeze the process that sends the WAL: what is committed from now on stays there."""
        pid = await self.members[0].value("SELECT pid FROM pg_stat_replication")
        psutil.Process(pid).suspend()

    async def fail_over(self) -> float:
        """Kill the primary, promote the standby; return the seconds between."""
        primary, standby = self.members
        primary.kill()
        killed = time.monotonic()
        await standby.promote()
        self.members.reverse()
        # The service must find out by itself; this process is only its audience.
        await self.runtime.database.engine.dispose()
        return time.monotonic() - killed


Service = tuple[httpx.AsyncClient, Runtime, list[Cluster]]


@pytest_asyncio.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A server whose URL names two clusters, of which one is the primary."""
    folder = tmp_path_factory.mktemp("f08")
    with clusters(folder, "a", "b") as members, private_valkey(folder) as valkey:
        primary = members[0]
        primary.create()
        await primary.start()
        await migrated(primary)
        url = any_of(members)
        settings = Settings(
            data_dir=folder, database_url=url, redis_url=valkey.url, secret_key=SecretStr(SECRET)
        )
        with server(
            folder / "server",
            database_url=url,
            migration_database_url=any_of(members, "qx_owner"),
            redis_url=valkey.url,
            secret_key=SECRET,
            rate_limits="off",
        ) as one:
            async with (
                open_runtime(settings) as runtime,
                httpx.AsyncClient(base_url=one.url, timeout=20) as api,
            ):
                yield api, runtime, members


@pytest_asyncio.fixture
async def hall(service: Service) -> Hall:
    api, *_ = service

    async def ready() -> bool:
        return (await api.get("/readyz")).status_code == 200

    await eventually(ready)
    return Hall(*service)


async def assert_sound(cluster: Cluster) -> None:
    """Assert that the ledger verifies, and that each check-in was paid for once.

    The time of overlapping activities counts once, so some awards have no points.
    """
    database = Database(cluster.urls.database_url, pool_size=2, patient=True)
    async with database.snapshot() as tx:
        report = await verification.verify(tx)
    await database.close()
    assert report.differences == []
    unpaid_or_doubled = await cluster.fetch(
        "SELECT c.id FROM checkins c JOIN awards a ON a.id = c.award_id"
        " LEFT JOIN ledger_transfers t ON t.source_id = c.award_id AND t.unit_id = 1"
        " GROUP BY c.id, a.points HAVING count(t.id) <> least(a.points, 1)"
    )
    assert unpaid_or_doubled == []


async def test_five_failovers_lose_nothing_that_was_acknowledged(
    hall: Hall, measured: Measured
) -> None:
    promoted, served = [], []
    pairs = await hall.people(PEOPLE, ACTIVITIES)
    for number in range(FAILOVERS):
        await hall.follow(synchronous=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(hall.scan_all(pairs[number::FAILOVERS]))
            await hall.acknowledges(ACKNOWLEDGED_BEFORE_THE_KILL)
            started = time.monotonic()
            promoted.append(await hall.fail_over())
            await hall.acknowledges(1)
            served.append(time.monotonic() - started)
        assert await hall.lost() == {}
        await assert_sound(hall.members[0])
    assert len(hall.acknowledged) == len(pairs)
    assert hall.statuses[503] >= FAILOVERS, "somebody met each failover"
    lost = len(await hall.lost())
    measured("F8", f"{FAILOVERS} failovers: acknowledged, lost", f"{len(pairs)}, {lost}")
    measured("F8", "kill to promoted, most", f"{max(promoted):.2f} s")
    measured("F8", "kill to the next acknowledgement, most", f"{max(served):.2f} s")
    measured("F8", "replies by status", dict(sorted(hall.statuses.items())))


async def test_an_asynchronous_standby_loses_what_was_acknowledged(
    hall: Hall, measured: Measured
) -> None:
    """The control: the same check-ins, of which none waits for the standby."""
    pairs = await hall.people(UNSENT, 1)
    await hall.follow(synchronous=False)
    await hall.stop_sending()
    assert await hall.scan_once(pairs) == {True: UNSENT}
    await hall.fail_over()
    lost = await hall.lost()
    assert len(lost) == UNSENT
    measured("F8", "asynchronous, the control: acknowledged, lost", f"{UNSENT}, {len(lost)}")


async def test_what_the_standby_did_not_get_is_not_acknowledged(
    hall: Hall, measured: Measured
) -> None:
    """Neither at once nor to those who repeat: their first try may stand on the primary."""
    pairs = await hall.people(UNSENT, 1)
    await hall.follow(synchronous=True)
    await hall.scan_all(await hall.people(1, 1))  # the service knows who is primary
    await hall.stop_sending()
    only_there = await hall.members[0].value("SELECT count(*) FROM checkins")
    for _ in range(TRIES):
        assert await hall.scan_once(pairs) == {False: UNSENT}
    only_there = await hall.members[0].value("SELECT count(*) FROM checkins") - only_there
    assert only_there > 0, "committed there when the wait was given up, or this shows nothing"
    await hall.fail_over()
    acknowledged = sum((where.id, who.id) in hall.acknowledged for where, who in pairs)
    await hall.scan_all(pairs)
    assert await hall.lost() == {}
    await assert_sound(hall.members[0])
    measured("F8", "standby silent: tried, acknowledged", f"{TRIES * UNSENT}, {acknowledged}")


async def test_nor_is_a_kept_reply(hall: Hall) -> None:
    """A reply kept beside a key promises what it tells."""
    person, counter = await make_person(hall.runtime), await make_counter(hall.runtime)
    await give_points(hall.runtime, person.id, 100)
    order = {"reward_id": str((await make_reward(hall.runtime, counter)).id), "quantity": 1}
    redeem = partial(hall.api.post, "/api/v1/redemptions", json=order, headers=keyed(person))
    await hall.follow(synchronous=True)
    await hall.scan_all(await hall.people(1, 1))  # the service knows who is primary
    await hall.stop_sending()
    statuses = [(await redeem()).status_code for _ in range(TRIES)]
    await hall.fail_over()
    assert await hall.members[0].value("SELECT count(*) FROM redemptions") == 0
    assert statuses == [503] * TRIES


async def test_a_service_that_finds_only_a_standby_is_busy(hall: Hall) -> None:
    """In a planned change both are standbys for a moment: that is a 503, not a 500."""
    await hall.follow(synchronous=True)
    database = Database(any_of(hall.members[1:]), pool_size=2)
    try:
        with pytest.raises(Busy):
            async with database.read() as tx:
                await tx.execute(text("SELECT 1"))  # the first statement connects
    finally:
        await database.close()
        await hall.fail_over()
