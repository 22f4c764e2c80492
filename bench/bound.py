"""The bound of a check-in: what must be done for it, and nothing else.

HTTP is parsed without ASGI, token and code are verified, one call of Valkey counts the requests of
a batch and looks up revoked logins, and one call of a PL/pgSQL function (``bound.sql``) does the
rest, with a durable commit. ``bench.http`` measures the service against this, and not only against
an echo. No application should be written like this.

Run as ``python -m bench.bound PORT``, with the settings of a service in the environment.
"""

import asyncio
import gc
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped,unused-ignore]
import hiredis
import httptools
import structlog
import uvloop

from app.api.access import PERSON
from app.core import ratelimit
from app.core.clock import now
from app.core.db_engine import PLANS_S
from app.core.ids import new_id
from app.core.logging import configure_logging, log_request
from app.core.revocations import Revocations
from app.core.rotating_codes import Action, CodeExpired, CodeInvalid, RotatingCodes
from app.core.settings import Settings
from app.core.tokens import Claims, TokenInvalid, Tokens
from app.demo.cast import STREET
from app.embedded.databases import connect
from app.models.awards import AwardReason
from app.queries import orgs as org_queries
from app.runtime import open_runtime
from app.schemas.awards.reading import REASONS
from app.services.awards import caps
from app.services.policies import history
from app.services.policies.rules import PointsPolicy
from bench.service import WORKERS, Service, running

RULE, PATH = "activity_checkin", "/api/v1/checkins"
LIMITER_WAIT_S, WAIT_S, ENOUGH, BUSY, MOST = 0.001, 0.004, 32, 6, 200
_CALL = f"SELECT * FROM bound_checkins({', '.join(f'${n}' for n in range(1, 20))})"  # noqa: S608
_PLANS = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
_TAKE = ratelimit._argument(PERSON, "take", True, 1)
_BODY = (
    '{"checkin":{"id":"%s","activity_id":"%s","checked_in_at":"%s"},"award":{"id":"%s","points":%d,'
    '"minutes":0,"state":"available","rule_key":"%s","reason":"%s"},'
    '"points":{"available":%d,"pending":%d}}'
)


@dataclass(slots=True, eq=False)
class Scan:
    """A request whose token and code are good."""

    connection: "Connection"
    claims: Claims
    serial: int


class Valkey(asyncio.Protocol):
    """Counts the requests of scans, those of a millisecond in one call, and passes them on."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._reader = hiredis.Reader()
        self._waiting: list[Scan] = []
        self._asked: list[Scan] = []
        self._script = (
            sha1(ratelimit._GCRA.text.encode(), usedforsecurity=False).hexdigest().encode()
        )

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def take(self, scan: Scan) -> None:
        self._waiting.append(scan)
        if len(self._waiting) == 1 and not self._asked:
            asyncio.get_running_loop().call_later(LIMITER_WAIT_S, self._ask)

    def _ask(self) -> None:
        self._asked, self._waiting = self._waiting, []
        words = [b"EVALSHA", self._script, b"%d" % (2 * len(self._asked))]
        for scan in self._asked:
            words.append(f"{ratelimit.TAG}:{PERSON.name}:{scan.claims.person_id}".encode())
            words.append(Revocations.bar(scan.claims.family_id).encode())
        words += [_TAKE] * len(self._asked)
        parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)]
        self._transport.write(b"".join(parts))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        found = self._reader.gets()
        if found is False:
            return
        if isinstance(found, Exception):
            raise found
        for place, scan in enumerate(self._asked):
            allowed, scan.connection.remaining, _, barred = found[4 * place : 4 * place + 4]
            if allowed and not barred:
                self._database.record(scan)
            else:
                scan.connection.refuse("429 Too Many Requests")
        self._asked = []
        if self._waiting:
            asyncio.get_running_loop().call_later(LIMITER_WAIT_S, self._ask)


class Database:
    """Records scans in batches, which wait some milliseconds for more scans."""

    def __init__(self, connection: Any, policy: PointsPolicy) -> None:
        self._connection, self._policy = connection, policy
        self._waiting: list[Scan] = []
        self._runner: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self._planned_at = time.monotonic()
        rule, limits = policy.document.rules[RULE], policy.document.caps
        emergency = [key for key in policy.document.rules if policy.is_emergency(key)]
        self._terms = (
            *(policy.unit_id, RULE, f"{rule.name}：", emergency, rule.points, policy.version),
            [rule.cap.day, rule.cap.month, rule.cap.year],
            [limits.day, limits.month, limits.year],
            limits.emergency_day,
        )

    def record(self, scan: Scan) -> None:
        self._waiting.append(scan)
        if len(self._waiting) >= ENOUGH:
            self._enough.set()
        if self._runner is None:
            self._runner = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            await self._record(batch)
            if len(batch) >= BUSY and len(self._waiting) < ENOUGH:
                self._enough.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(WAIT_S):
                        await self._enough.wait()
        self._runner = None

    async def _record(self, batch: list[Scan]) -> None:
        at = now()
        spans = caps.spans(at)
        people = [scan.claims.person_id for scan in batch]
        ids = [[new_id() for _ in batch] for _ in range(3)]
        times = (at, spans.day, spans.month, spans.year, self._policy.lot_expiry(at))
        serials = [scan.serial for scan in batch]
        if time.monotonic() >= self._planned_at + PLANS_S:
            await self._connection.execute("DISCARD PLANS")  # as the service does
            self._planned_at = time.monotonic()
        try:
            rows = await self._connection.fetch(_CALL, serials, people, *ids, *times, *self._terms)
        except asyncpg.DeadlockDetectedError:
            self._waiting = batch + self._waiting
            return
        except asyncpg.PostgresError as error:
            # Without a reply the clients would wait for ever and the rate would be 0.
            structlog.get_logger().error("batch_failed", error=repr(error))
            for scan in batch:
                scan.connection.refuse("500 Internal Server Error")
            return
        unanswered = dict(enumerate(batch, start=1))
        for n, checkin, activity, award, points, available, pending in rows:
            reason = REASONS[AwardReason.full if points else AwardReason.cap_day].zh
            shown = (checkin, activity, at.isoformat(), award, points, RULE, reason)
            body = _BODY % (*shown, available, pending)
            unanswered.pop(n).connection.reply("201 Created", body.encode())
        for scan in unanswered.values():
            scan.connection.refuse("403 Forbidden")


class Connection(asyncio.Protocol):
    """A client, which sends a request after the reply to the one before."""

    def __init__(self, valkey: Valkey, tokens: Tokens, codes: RotatingCodes) -> None:
        self._valkey, self._tokens, self._codes = valkey, tokens, codes
        self._parser = httptools.HttpRequestParser(self)
        self._token = self._url = ""
        self._body = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._started = time.perf_counter()
        self._token, self._body, self.remaining = "", b"", 0

    def on_url(self, url: bytes) -> None:
        self._url = url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._token = value.decode().removeprefix("Bearer ")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._url != PATH:
            self.reply("200 OK", b"{}")  # the probe
            return
        try:
            claims = self._tokens.verify(self._token)
            code = json.loads(self._body)["code"]
            serial = self._codes.check(code, Action.check_in, time.time())
        except (TokenInvalid, CodeInvalid, CodeExpired, ValueError, KeyError):
            self.refuse("401 Unauthorized")
            return
        self._valkey.take(Scan(self, claims, serial))

    def reply(self, status: str, body: bytes) -> None:
        request_id = str(new_id())
        head = (
            f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n"
            f"content-type: application/json\r\nratelimit-policy: {PERSON.policy}\r\n"
            f'ratelimit: "{PERSON.name}";r={self.remaining};t=0\r\n'
            f"x-request-id: {request_id}\r\nx-content-type-options: nosniff\r\n\r\n"
        )
        if not self._transport.is_closing():
            self._transport.write(head.encode() + body)
        ms = round((time.perf_counter() - self._started) * 1000, 1)
        log_request(method="POST", route=PATH, status=int(status[:3]), ms=ms, request_id=request_id)

    def refuse(self, status: str) -> None:
        self.reply(status, b'{"code":"refused"}')


async def policy_in_force(settings: Settings) -> PointsPolicy:
    async with open_runtime(settings) as runtime, runtime.database.read() as tx:
        street = await org_queries.find_by_code(tx, STREET)
        assert street is not None, "the demonstration data holds it"
        return await history.in_force(tx, street.path)


@contextmanager
def bound(one: Service, port: int) -> Iterator[str]:
    """Run it on the engines of a service, with as many workers; yield its URL."""
    asyncio.run(install(one.settings))
    variables = {
        "QX_DATA_DIR": str(one.settings.data_dir),
        "QX_DATABASE_URL": str(one.settings.database_url),
        "QX_REDIS_URL": str(one.settings.redis_url),
    }
    url, log = f"http://127.0.0.1:{port}", one.settings.data_dir / "bound.log"
    with running([sys.executable, "-m", "bench.bound", str(port)], variables, log, f"{url}/"):
        yield url


async def install(settings: Settings) -> None:
    """Make the function, as the owner of the schema."""
    owner = await connect(str(settings.migration_database_url))
    await owner.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    await owner.close()


async def serve(listening: socket.socket, settings: Settings, policy: PointsPolicy) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    url = str(settings.database_url).replace("+asyncpg", "", 1)
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC", **_PLANS})
    async with open_runtime(settings) as runtime:
        await runtime.redis.script_load(ratelimit._GCRA.text)
    database = Database(connection, policy)
    path = urlsplit(str(settings.redis_url)).path
    _, valkey = await loop.create_unix_connection(lambda: Valkey(database), path)
    tokens, codes = Tokens(settings.secrets), RotatingCodes(settings.secrets)
    await loop.create_server(lambda: Connection(valkey, tokens, codes), sock=listening)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    await stop.wait()


def main() -> None:
    settings = Settings()
    configure_logging("info", "json")
    policy = asyncio.run(policy_in_force(settings))
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=2048) as listening:
        listening.setblocking(False)
        children: list[int] = []
        for _ in range(WORKERS - 1):
            pid = os.fork()
            if pid == 0:
                children.clear()
                break
            children.append(pid)
        uvloop.run(serve(listening, settings, policy))
        for pid in children:
            os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    main()
