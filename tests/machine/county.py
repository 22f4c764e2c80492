"""A county of its own for the machine: its policy, a database, and a clock that it moves."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import datetime
from itertools import count
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch
from zoneinfo import ZoneInfo

import time_machine

from app.core import ids
from app.embedded.databases import create_database, drop_database
from app.embedded.layout import Engines
from app.models.orgs import Org
from app.runtime import Runtime, open_runtime
from app.services.awards import proposals
from app.services.policies import publishing
from tests.engines import settings_for
from tests.factories.clock import travel
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer
from tests.machine.model import PROPOSALS

T = TypeVar("T")
# Runs begin on the last day of a month: what is awarded soon ends a month apart.
START = datetime(2031, 1, 31, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
POLICY = """
[programme]
name = "状态机的积分办法"
unit = "points"
[caps]
day = 100
emergency_day = 100
month = 2000
year = 20000
[lots]
months = 1
[release.rotating_code]
[release.poster_code]
wait_hours = 24
[release.manual]
reviewers = 1
notice_days = 3
[rules.service]
name = "志愿服务"
category = "volunteer"
per = "hour"
points = 2
cap = { day = 25 }
[rules.honour]
name = "表扬"
category = "honour"
per = "item"
points = 1
up_to = 100
[[tiers]]
key = "sprout"
name = "青芽卡"
points_12m = 0
hours_12m = 0
benefits = "无"
"""


class County:
    """Runs the service's verbs, which are asynchronous, for a machine that is not."""

    def __init__(
        self, engines: Engines, template: str, redis_db: int, policy: str = POLICY
    ) -> None:
        self._engines, self._template, self._redis_db = engines, template, redis_db
        self._policy = policy
        self._runner = asyncio.Runner()
        self._numbers = count(1)
        self._ids = count(step=2)  # the next one is that of the minutes of an award
        self._open: AsyncExitStack | None = None
        self._frozen = ExitStack()
        self.runtime: Runtime
        self.root: Org
        self.frugal: Org  # below it funds issue only what came in
        self.administrator: TestPerson
        self.treasurer: TestPerson  # another administrator
        self.reviewer: TestPerson

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def start_clock(self) -> time_machine.Traveller:
        """Stop time at START; ids are numbered, so that a run that is repeated is the same."""
        counted = SimpleNamespace(urandom=lambda size: next(self._ids).to_bytes(size))
        self._frozen.enter_context(patch.object(ids, "os", counted))
        self._frozen.enter_context(patch.object(proposals, "MAX_PROPOSALS_A_DAY", PROPOSALS))
        return self._frozen.enter_context(travel(START))

    def stop_clock(self) -> None:
        self._frozen.close()

    def open(self) -> None:
        """Begin with a fresh database, and a policy in force from START."""
        with travel(START):
            self.run(self._open_anew())

    def close(self) -> None:
        self.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        if self._open is not None:
            await self._open.aclose()
            self._open = None

    async def _open_anew(self) -> None:
        await self._close()
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(self._database())
            settings = settings_for(self._engines, database, self._redis_db)
            self.runtime = await stack.enter_async_context(open_runtime(settings))
            self._open = stack.pop_all()
        self.root = await make_org(self.runtime)
        self.frugal = await make_org(self.runtime, parent=self.root)
        for source, org in ((self._policy, None), ("[fund]\nlimited = true\n", self.frugal)):
            async with self.runtime.database.transaction() as tx:
                await publishing.publish(tx, source, org=org)
        self.administrator = await make_administrator(self.runtime, self.root.id)
        self.treasurer = await make_administrator(self.runtime, self.root.id)
        self.reviewer = await make_organizer(self.runtime, self.root.id)

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[str]:
        name = f"scratch_{os.getpid()}_machine_{next(self._numbers)}"
        await create_database(self._engines.admin_database_url, name, template=self._template)
        try:
            yield name
        finally:
            await drop_database(self._engines.admin_database_url, name)
