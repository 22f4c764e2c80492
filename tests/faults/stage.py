"""The service under a load that a fault may strike, and the facts that must hold after it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
from redis.exceptions import RedisError
from sqlalchemy import TextClause, text

from app.core.clock import now
from app.core.db import Database, Session
from app.core.errors import Busy
from app.core.rotating_codes import STEP_SECONDS, Action
from app.embedded import databases
from app.embedded.layout import Places
from app.models.activities import Activity
from app.models.merchants import MerchantKind
from app.models.rewards import RewardKind
from app.runtime import Runtime, open_runtime
from app.services.ledger import verification
from app.services.ledger.verification import Difference
from bench.crowd import Crowd, Resident, lists
from bench.service import Service, service
from tests.factories.rewards import make_counter, make_reward
from tests.faults.load import Ask, Load, Reply
from tests.faults.server import free_port
from tests.faults.victims import postgres_of
from tests.faults.waiting import eventually

API = "/api/v1"
RULE = "activity_checkin"

# What a check-in's reply promises: the check-in, its award and the transfer of its points.
_KEPT_CHECKINS = text("""
SELECT count(*) FROM unnest(CAST(:checkins AS uuid[]), CAST(:awards AS uuid[])) AS k(id, award_id)
JOIN checkins c ON c.id = k.id AND c.award_id = k.award_id
JOIN awards w ON w.id = k.award_id
JOIN ledger_transfers t ON t.id = k.award_id
""")
_AWARDED_TWICE = text("""
SELECT count(*) FROM (
    SELECT a.owner_id FROM ledger_accounts a JOIN ledger_transfers t ON t.to_account_id = a.id
    WHERE a.owner_id = ANY(CAST(:people AS uuid[])) AND a.purpose = 'available' AND a.unit_id = 1
    GROUP BY 1 HAVING count(*) > 1
) x
""")

_OTHER_BALANCES = text("""
SELECT count(*) FROM unnest(CAST(:people AS uuid[])) AS k(id)
LEFT JOIN ledger_accounts a ON a.owner_id = k.id AND a.purpose = 'available' AND a.unit_id = 1
WHERE a.balance IS DISTINCT FROM :points
""")


_HELD = text("""
SELECT count(*) FROM ledger_accounts
WHERE owner_id = ANY(CAST(:people AS uuid[])) AND purpose = 'held' AND balance <> 0
""")


@dataclass(frozen=True)
class Stage:
    """``runtime`` reaches the engines patiently, past the service: for seeding and looking."""

    service: Service
    runtime: Runtime
    crowd: Crowd

    @property
    def data_dir(self) -> Path:
        return self.service.settings.data_dir

    def postgres(self) -> list[psutil.Process]:
        return postgres_of(self.data_dir)

    async def residents(self, number: int) -> list[Resident]:
        made = []
        for part in lists(range(number), 5_000):
            made += await self.crowd.residents(len(part))
        return made

    async def checkins(self, number: int, places: int = 20) -> list[Ask]:
        """People with places, each about to scan the screen of an activity once."""
        people = await self.residents(number)
        activities = await self.crowd.activities(places, people[0], rule=RULE)
        await self.crowd.sign_up(people, activities)
        screens = [self.screen(one) for one in activities]
        return [
            Ask("POST", f"{API}/checkins", one.id, one.token, body=screen)
            for one, screen in zip(people, cycle(screens), strict=False)
        ]

    async def signups(self, number: int, places: int = 5) -> list[Ask]:
        people = await self.residents(number)
        activities = await self.crowd.activities(places, people[0], rule=RULE)
        return [
            Ask("POST", f"{API}/activities/{place.id}/signups", one.id, one.token, body="{}")
            for one, place in zip(people, cycle(activities), strict=False)
        ]

    async def charges(self, number: int, points: int = 3) -> list[Ask]:
        """Counters about to charge each person once, with a key."""
        people = await self.residents(number)
        await self.crowd.give_points(people, 10)
        codes = await self.crowd.card_codes(people)
        staff = await self.crowd.staff(merchants=5, each=20)
        return [
            Ask(
                "POST",
                f"{API}/merchant/charges",
                one.id,
                clerk.token,
                key=str(uuid4()),
                body=json.dumps({"card_code": code, "points": points, "note": "咖啡"}),
            )
            for one, code, clerk in zip(people, codes, cycle(staff), strict=False)
        ]

    async def collections(self, number: int) -> list[Ask]:
        """Counters about to hand over what each person has reserved, of PRICE points."""
        people = await self.residents(number)
        await self.crowd.give_points(people, 10)
        staff = await self.crowd.staff(merchants=5, each=4)
        codes = await self.crowd.reservations(people, staff)
        return [
            Ask(
                "POST",
                f"{API}/merchant/redemptions/collect",
                one.id,
                clerk.token,
                key=str(uuid4()),
                body=json.dumps({"pickup_code": code}),
            )
            for one, code, clerk in zip(people, codes, cycle(staff), strict=False)
        ]

    async def donations(self, number: int, points: int = 4) -> list[Ask]:
        """People about to give points to the fund, each once, with a key."""
        people = await self.residents(number)
        await self.crowd.give_points(people, 10)
        org = await self.crowd.org()
        counter = await make_counter(self.runtime, kind=MerchantKind.fund_counter, org=org)
        reward = await make_reward(
            self.runtime, counter, kind=RewardKind.donation, points=points, name="捐赠"
        )
        body = json.dumps({"reward_id": str(reward.id), "quantity": 1})
        return [
            Ask("POST", f"{API}/donations", one.id, one.token, key=str(uuid4()), body=body)
            for one in people
        ]

    async def reads(self, number: int) -> list[Ask]:
        """People who look at their points, their passbook and what is on."""
        people = await self.residents(number)
        await self.crowd.give_points(people, 10)
        paths = cycle(("/me/points", "/me/points/entries", "/activities?limit=20"))
        return [
            Ask("GET", f"{API}{path}", one.id, one.token)
            for one, path in zip(people, paths, strict=False)
        ]

    async def mixture(self, number: int) -> list[Ask]:
        """So many of each kind, shuffled; of donations, which meet at one fund, a tenth.

        All may be repeated.
        """
        asks = await self.checkins(number) + await self.signups(number)
        asks += await self.charges(number) + await self.reads(number)
        asks += await self.collections(number) + await self.donations(number // 10)
        Random(len(asks)).shuffle(asks)
        return asks

    def screen(self, activity: Activity) -> Callable[[], str]:
        """The body of a scan of what the activity's screen shows at that moment."""

        @lru_cache(maxsize=2)
        def shown(step: int) -> str:
            at = step * STEP_SECONDS
            code = self.runtime.codes.make(Action.check_in, activity.serial, at).text
            return json.dumps({"code": code})

        return lambda: shown(int(now().timestamp()) // STEP_SECONDS)

    def load(self, asks: Iterable[Ask], **options: Any) -> Load:
        return Load(self.service.port, asks, **options)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Session]:
        """One moment of the database, on a new connection: old ones may have been killed."""
        database = patient(self.service)
        try:
            async with database.snapshot() as tx:
                yield tx
        finally:
            await database.close()

    async def lost_checkins(self, kept: Sequence[tuple[Ask, Reply]]) -> int:
        """Count the acknowledged check-ins that are not in the database as they were said."""
        said = [json.loads(reply.body) for _, reply in kept]
        checkins = [UUID(one["checkin"]["id"]) for one in said]
        awards = [UUID(one["award"]["id"]) for one in said]
        return len(said) - await self._count(_KEPT_CHECKINS, checkins=checkins, awards=awards)

    async def awarded_twice(self, asks: Sequence[Ask]) -> int:
        """Count the people who were given points more than once."""
        return await self._count(_AWARDED_TWICE, people=[ask.person for ask in asks])

    async def balances_other_than(self, asks: Sequence[Ask], points: int) -> int:
        """Count the people who do not have exactly so many points available."""
        people = [ask.person for ask in asks]
        return await self._count(_OTHER_BALANCES, people=people, points=points)

    async def still_held(self, asks: Sequence[Ask]) -> int:
        """Count the people whose points are put aside."""
        return await self._count(_HELD, people=[ask.person for ask in asks])

    async def _count(self, statement: TextClause, **values: Any) -> int:
        async with self.look() as tx:
            found: int = (await tx.execute(statement, values)).scalar_one()
        return found

    async def ledger_differences(self) -> list[Difference]:
        async with self.look() as tx:
            return (await verification.verify(tx)).differences

    async def admin(self, *statements: str) -> None:
        """Run statements as the superuser, each on its own."""
        admin = Places.of(self.data_dir).urls().admin_database_url
        connection = await databases.connect(admin, "qingxiang")
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def settled(self) -> None:
        """Wait until the service and our own connections have got over a fault."""
        await eventually(self.serves, 30)
        await eventually(self._connected, 30)

    async def _connected(self) -> bool:
        try:
            for pool in (self.runtime.database.transaction, self.runtime.database.read):
                async with pool() as tx:
                    await tx.execute(text("SELECT 1"))
        except Busy:
            return False
        return True

    async def redis_answers(self) -> bool:
        """Whether Redis is of use, as a client of the service's own kind sees it."""
        try:
            async with asyncio.timeout(1):
                return bool(await self.runtime.redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def serves(self) -> bool:
        """Whether PostgreSQL answers, as the service sees it."""
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                return (await client.get(f"{self.service.url}/readyz")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def stage(data_dir: Path | None = None, redis_url: str | None = None) -> AsyncIterator[Stage]:
    """Serve on fresh engines; both are gone at the end. ``redis_url``: instead of their Redis."""
    environment: dict[str, Any] = {"QX_REDIS_URL": redis_url} if redis_url else {}
    with service(free_port(), data_dir=data_dir, **environment) as one:
        async with open_runtime(one.settings) as opened:
            database = patient(one)
            runtime = replace(opened, database=database)
            try:
                yield Stage(one, runtime, Crowd(runtime))
            finally:
                await database.close()


def patient(one: Service) -> Database:
    """The service's database without its time-outs: long lists are written at once."""
    assert one.settings.database_url is not None
    return Database(one.settings.database_url, pool_size=4, patient=True)


async def struck(load: Load, times: int, of: int, strike: Callable[[], None]) -> None:
    """Strike so many times, evenly spread over the ``of`` replies that the load will get."""
    for number in range(1, times + 1):
        await replied(load, number * of // (times + 1))
        await asyncio.to_thread(strike)


async def replied(load: Load, number: int) -> None:
    """Wait until the load has so many final replies."""

    async def enough() -> bool:
        return len(load.kept) >= number

    await eventually(enough, 300)
