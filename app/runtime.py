"""The runtime: the objects that requests and jobs of a process share, created once."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from fastapi import FastAPI

from app.core.batching import Batcher
from app.core.bulkhead import Bulkhead
from app.core.db import Database, ReadPool, Session
from app.core.db_errors import Retry
from app.core.distinct import DistinctQuota
from app.core.errors import Busy, ClockWrong, Refusal
from app.core.etag import TaggedBody
from app.core.keys import FieldCipher
from app.core.links import SignedLinks
from app.core.offline_codes import OfflineCodes
from app.core.poster_codes import PosterCodes
from app.core.ratelimit import RateLimiter
from app.core.recent_writers import RecentWriters
from app.core.redis import Breaker, Redis, connect
from app.core.replicas import Replicas, ReplicatedBatcher
from app.core.revocations import Revocations
from app.core.rotating_codes import RotatingCodes
from app.core.settings import Settings
from app.core.tickets import Tickets
from app.core.tokens import Tokens
from app.integrations.leaderboards import Boards
from app.integrations.storage import Store, open_store
from app.integrations.wechat import servers
from app.integrations.wechat.client import WechatClient
from app.integrations.wechat.pushes import PushReader
from app.models.people import Role
from app.schemas.redemptions import ChargeOut, CollectedOut
from app.services import (
    browsing,
    checkin_devices,
    checkins,
    checkouts,
    health,
    people,
    signups,
    subscriptions,
)
from app.services.checkins import Recorded, Scan
from app.services.checkouts import Leave, Left
from app.services.idempotency import Attempt, Replied
from app.services.leaderboards import reading as leaderboards
from app.services.ledger import moments, passbook
from app.services.ledger.passbook import PassbookQuery
from app.services.live import LiveViews
from app.services.redemptions import charges, collecting
from app.services.signups import Claim, Claimed
from app.services.web_logins import WebLogins

BATCH_ATTEMPTS = 3
START_PATIENCE_S = 60.0
# Made, parsed, decoded or settled at once: each takes up to some seconds of one processor, a
# picture up to 240 MB of memory.
AT_ONCE, PATIENCE_S = 2, 10.0
C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True)
class Runtime:
    """Shared objects of a process. Its batchers join concurrent commands, or queries, into one."""

    settings: Settings
    database: Database
    replicas: Replicas
    writers: RecentWriters
    redis: Redis
    limiter: RateLimiter
    phone_users: DistinctQuota
    revocations: Revocations
    tokens: Tokens
    tickets: Tickets
    web_logins: WebLogins
    cipher: FieldCipher
    codes: RotatingCodes
    offline_codes: OfflineCodes
    posters: PosterCodes
    wechat: WechatClient
    pushes: PushReader | None
    templates: subscriptions.Templates
    links: SignedLinks
    boards: Boards
    store: Store
    sandbox: FastAPI | None
    checkins: Batcher[Scan, Recorded | Refusal]
    checkouts: Batcher[Leave, Left | Refusal]
    signups: Batcher[Claim, Claimed | Refusal]
    charges: Batcher[Attempt[charges.ChargeCommand, ChargeOut], Replied | Refusal]
    collections: Batcher[Attempt[collecting.CollectCommand, CollectedOut], Replied | Refusal]
    roles: Batcher[UUID, set[Role]]
    passbooks: Batcher[PassbookQuery, TaggedBody | Refusal]
    activities: ReplicatedBatcher[browsing.ActivityQuery, TaggedBody | Refusal]
    leaderboards: ReplicatedBatcher[leaderboards.BoardQuery, TaggedBody | Refusal]
    live: LiveViews
    statements: Bulkhead
    sheets: Bulkhead
    pictures: Bulkhead
    scan_uploads: Bulkhead

    async def finish_batches(self) -> None:
        """Wait for the batches that run, before their engines are closed."""
        commands = (self.checkins, self.checkouts, self.signups, self.charges, self.collections)
        queries = (self.roles, self.passbooks, self.activities, self.leaderboards)
        closing: tuple[Any, ...] = (*commands, *queries, self.live)
        for one in closing:
            await one.close()


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Connect to both engines (their URLs must be set) and to WeChat; close all at the end.

    Raises LedgerUnprotected if the database role could rewrite the ledger.
    """
    assert settings.database_url is not None, "the caller starts the embedded engines"
    assert settings.redis_url is not None, "the caller starts the embedded engines"
    database = Database(settings.database_url, pool_size=settings.database_pool)
    replicas = _replicas(database, settings)
    redis = connect(settings.redis_url)
    breaker = Breaker(redis)
    boards = Boards(redis, breaker)
    sandbox = servers.sandbox(settings, redis)
    http = servers.client(settings, sandbox)
    try:
        await first_check(database, settings.secrets)
        runtime = Runtime(
            settings=settings,
            database=database,
            replicas=replicas,
            writers=RecentWriters(redis, breaker, lag_s=settings.replica_lag_s),
            redis=redis,
            limiter=RateLimiter(redis, breaker, enabled=settings.rate_limits == "on"),
            phone_users=checkin_devices.quota(redis, breaker),
            revocations=Revocations(redis, breaker),
            tokens=Tokens(settings.secrets),
            tickets=Tickets(redis, breaker),
            web_logins=WebLogins(database),
            cipher=FieldCipher(settings.secrets),
            codes=RotatingCodes(settings.secrets),
            offline_codes=OfflineCodes(settings.secrets),
            posters=PosterCodes(settings.secrets),
            wechat=WechatClient(
                http=http, appid=settings.wechat_appid, secret=settings.wechat_secret, redis=redis
            ),
            pushes=_push_reader(settings),
            templates=subscriptions.load(templates_file(settings)),
            links=SignedLinks(settings.secrets),
            boards=boards,
            store=open_store(settings),
            sandbox=sandbox,
            checkins=_commands(database, checkins.record, checkins.conflict_keys),
            checkouts=_commands(database, checkouts.record, checkouts.conflict_keys),
            signups=_commands(
                database, signups.claim, signups.conflict_keys, dated=moments.checked_now
            ),
            charges=_commands(database, charges.charge_once, charges.conflict_keys),
            collections=_commands(database, collecting.collect_once, collecting.conflict_keys),
            roles=_queries(database, people.roles),
            passbooks=_queries(database, passbook.pages),
            activities=_public_queries(database, replicas, browsing.read),
            leaderboards=_public_queries(
                database, replicas, lambda tx, asked: leaderboards.read(tx, boards, asked)
            ),
            live=LiveViews(database, settings.stream_seconds),
            statements=Bulkhead(AT_ONCE, PATIENCE_S),
            sheets=Bulkhead(AT_ONCE, PATIENCE_S),
            pictures=Bulkhead(AT_ONCE, PATIENCE_S),
            scan_uploads=Bulkhead(AT_ONCE, PATIENCE_S),
        )
        try:
            yield runtime
        finally:
            await runtime.finish_batches()
    finally:
        await http.aclose()
        await breaker.close()
        await redis.aclose()
        await replicas.close()
        await database.close()


def _replicas(database: Database, settings: Settings) -> Replicas:
    assert settings.database_url is not None
    return Replicas(
        database,
        settings.database_url,
        settings.database_read_urls,
        size=settings.database_pool // 2,  # as many as read from the primary
        lag_s=settings.replica_lag_s,
    )


def _push_reader(settings: Settings) -> PushReader | None:
    push = settings.wechat_push
    return PushReader(*push, settings.wechat_appid) if push is not None else None


def templates_file(settings: Settings) -> Path | None:
    """Return the file of message templates; the sandbox's where there is no mini-program."""
    if settings.wechat_templates_file is None and settings.wechat == "sandbox":
        return Path(str(files("app") / "data" / "wechat-templates.toml"))
    return settings.wechat_templates_file


async def first_check(database: Database, secrets: Sequence[bytes]) -> None:
    """Check the database role and the secret as soon as PostgreSQL answers.

    A worker that starts while PostgreSQL is down waits for it, because uvicorn ends all of its
    workers when one fails to start. The first process that starts after a migration stores the
    check value of its secret. Raises LedgerUnprotected or AnotherSecret, or Busy after a minute.
    """
    deadline = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            async with database.read() as tx:
                await health.require_protected_ledger(tx)
                await health.require_current_schema(tx)
            async with database.transaction() as tx:
                await health.require_own_secret(tx, secrets)
        except health.NotReady:
            return
        except Busy:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
        else:
            return


def _commands(
    database: Database,
    command: Callable[[Session, Sequence[C], datetime], Awaitable[list[R | Refusal]]],
    conflict_keys: Callable[[C], Iterable[Hashable]],
    dated: Callable[[Session], Awaitable[datetime]] = moments.moment,
) -> Batcher[C, R | Refusal]:
    """Return a batcher that runs a set-based command on each batch, in one transaction.

    ``dated``: the time that the command gets; commands that post nothing need no ``moment``.
    """

    async def run(commands: list[C]) -> list[R | Refusal]:
        for attempt in range(1, BATCH_ATTEMPTS + 1):
            try:
                async with database.transaction() as tx:
                    return await command(tx, commands, await dated(tx))
            except ClockWrong as refusal:
                return [refusal] * len(commands)
            except Retry:  # a deadlock or the like: the batch may run again
                if attempt == BATCH_ATTEMPTS and len(commands) > 1:
                    raise  # the batcher then runs the commands one by one
        # An outcome: after a Busy exception the batcher would refuse all waiting commands too.
        return [Busy(retry_after=1)]

    return Batcher(run, conflict_keys)


def _queries(
    pool: ReadPool, read: Callable[[Session, Sequence[C]], Awaitable[list[R]]]
) -> Batcher[C, R]:
    """Return a batcher that answers each batch of queries with one call of ``read``."""

    async def run(queries: list[C]) -> list[R]:
        async with pool.read() as tx:
            return await read(tx, queries)

    return Batcher(run)


def _public_queries(
    database: Database,
    replicas: Replicas,
    read: Callable[[Session, Sequence[C]], Awaitable[list[R]]],
) -> ReplicatedBatcher[C, R]:
    """Return a batcher of queries that a replica may answer."""
    primary = _queries(database, read)
    if not replicas:
        return ReplicatedBatcher(primary, primary)

    async def run(queries: list[C]) -> list[R]:
        async def once(pool: ReadPool) -> list[R]:
            async with pool.read() as tx:
                return await read(tx, queries)

        return await replicas.run(once)

    return ReplicatedBatcher(primary, Batcher(run))
