"""The runtime: everything a process needs to serve a request or to run a job, made once."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
from fastapi import FastAPI

from app.core.batching import Batcher
from app.core.bulkhead import Bulkhead
from app.core.clock import now
from app.core.db import Database, Session
from app.core.db_errors import Retry
from app.core.errors import Busy, Refusal
from app.core.etag import Rendered
from app.core.keys import FieldCipher
from app.core.ratelimit import RateLimiter
from app.core.redis import Breaker, Redis, connect
from app.core.revocations import Revocations
from app.core.rotating_codes import RotatingCodes
from app.core.settings import Settings
from app.core.tokens import Tokens
from app.integrations.leaderboards import Boards
from app.integrations.wechat import WechatClient
from app.integrations.wechat_sandbox import create_sandbox
from app.models.people import Role
from app.schemas.redemptions import ChargeOut
from app.services import activities, checkins, people, signups
from app.services.checkins import Recorded, Scan
from app.services.health import require_protected_ledger
from app.services.idempotency import Attempt, Replied
from app.services.leaderboards import reading as leaderboards
from app.services.ledger import passbook
from app.services.ledger.passbook import PageOf
from app.services.redemptions import charges
from app.services.redemptions.charges import ChargeCommand
from app.services.signups import Claim, Claimed

BATCH_ATTEMPTS = 3
START_PATIENCE_S = 60.0
# Statements that are written at once: a long one is seconds of work for one processor.
STATEMENTS, STATEMENT_PATIENCE_S = 2, 10.0
# Uploaded sheets that are read at once: each is up to a second, and some memory.
SHEETS, SHEET_PATIENCE_S = 2, 10.0
C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True)
class Runtime:
    """The batchers join concurrent requests: commands into one commit, looks into one query."""

    settings: Settings
    database: Database
    redis: Redis
    limiter: RateLimiter
    revocations: Revocations
    tokens: Tokens
    cipher: FieldCipher
    codes: RotatingCodes
    wechat: WechatClient
    boards: Boards
    sandbox: FastAPI | None
    checkins: Batcher[Scan, Recorded | Refusal]
    signups: Batcher[Claim, Claimed | Refusal]
    charges: Batcher[Attempt[ChargeCommand, ChargeOut], Replied | Refusal]
    roles: Batcher[UUID, set[Role]]
    passbooks: Batcher[PageOf, Rendered | Refusal]
    activities: Batcher[activities.ActivityQuery, Rendered | Refusal]
    leaderboards: Batcher[leaderboards.BoardQuery, Rendered | Refusal]
    statements: Bulkhead
    sheets: Bulkhead

    async def finish_batches(self) -> None:
        """Wait for the lists under way: their engines are about to be closed."""
        commands: tuple[Batcher[Any, Any], ...] = (self.checkins, self.signups, self.charges)
        looks = (self.roles, self.passbooks, self.activities, self.leaderboards)
        for batcher in (*commands, *looks):
            await batcher.close()


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Connect to both engines (their URLs must be set) and to WeChat; close all at the end.

    Raises LedgerUnprotected if the database role could rewrite the ledger.
    """
    assert settings.database_url is not None, "the caller starts the embedded engines"
    assert settings.redis_url is not None, "the caller starts the embedded engines"
    database = Database(settings.database_url, pool_size=settings.database_pool)
    redis = connect(settings.redis_url)
    breaker = Breaker(redis)
    boards = Boards(redis, breaker)
    sandbox = None
    transport: httpx.AsyncBaseTransport | None = None
    base_url = settings.wechat_base_url
    if settings.wechat == "sandbox":
        sandbox = create_sandbox(redis, settings.wechat_appid, settings.wechat_secret)
        # The same HTTP, without a socket: the client cannot tell the difference.
        transport, base_url = httpx.ASGITransport(sandbox), "http://wechat.sandbox"
    http = httpx.AsyncClient(base_url=base_url, transport=transport)
    try:
        await _first_look(database)
        runtime = Runtime(
            settings=settings,
            database=database,
            redis=redis,
            limiter=RateLimiter(redis, breaker, enabled=settings.rate_limits == "on"),
            revocations=Revocations(redis, breaker),
            tokens=Tokens(settings.secrets),
            cipher=FieldCipher(settings.secrets),
            codes=RotatingCodes(settings.secrets),
            wechat=WechatClient(
                http=http, appid=settings.wechat_appid, secret=settings.wechat_secret, redis=redis
            ),
            boards=boards,
            sandbox=sandbox,
            checkins=_commands(database, checkins.record),
            signups=_commands(database, signups.claim),
            charges=_commands(database, charges.charge_once),
            roles=_looks(database, people.roles),
            passbooks=_looks(database, passbook.pages),
            activities=_looks(database, activities.read),
            leaderboards=_looks(database, lambda tx, looks: leaderboards.read(tx, boards, looks)),
            statements=Bulkhead(STATEMENTS, STATEMENT_PATIENCE_S),
            sheets=Bulkhead(SHEETS, SHEET_PATIENCE_S),
        )
        try:
            yield runtime
        finally:
            await runtime.finish_batches()
    finally:
        await http.aclose()
        await breaker.close()
        await redis.aclose()
        await database.close()


async def _first_look(database: Database) -> None:
    """Check the role that we connect as, as soon as PostgreSQL answers.

    A worker that starts while PostgreSQL is away waits for it: uvicorn ends all of its
    workers when one fails to start. Raises LedgerUnprotected; Busy after a minute.
    """
    deadline = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            async with database.read() as tx:
                return await require_protected_ledger(tx)
        except Busy:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


def _commands(
    database: Database,
    command: Callable[[Session, Sequence[C], datetime], Awaitable[list[R | Refusal]]],
) -> Batcher[C, R | Refusal]:
    """Run a set-based command on whole lists, a transaction each."""

    async def run(commands: list[C]) -> list[R | Refusal]:
        for attempt in range(1, BATCH_ATTEMPTS + 1):
            try:
                async with database.transaction() as tx:
                    return await command(tx, commands, now())
            except Retry:  # a deadlock or the like: the list may simply run again
                if attempt == BATCH_ATTEMPTS and len(commands) > 1:
                    raise  # then one by one
        # An outcome and not an exception: PostgreSQL is there for everybody else.
        return [Busy(retry_after=1)]

    return Batcher(run)


def _looks(
    database: Database, look: Callable[[Session, Sequence[C]], Awaitable[list[R]]]
) -> Batcher[C, R]:
    """Answer whole lists of questions from one look."""

    async def run(questions: list[C]) -> list[R]:
        async with database.read() as tx:
            return await look(tx, questions)

    return Batcher(run)
