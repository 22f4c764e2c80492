"""A crowd of phones: keep-alive connections that send, wait for the reply and insist.

A thin client of its own, because a comfortable one costs more of the cores than the
service that it asks. What a request shows (a rotating code) is rendered at each attempt.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

# Sooner than any Retry-After, so that a recovery is met by everybody at once.
PAUSE_S = 0.2
# An attempt without a reply by then is given up, as WeChat would; far above what is allowed.
PATIENCE_S = 15.0
BROKEN = 0  # the "status" of an attempt without a reply
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """A request of one person; ``body`` may be made anew for each attempt, the key is kept."""

    method: str
    path: str
    person: UUID | None = None
    token: str = ""
    key: str = ""
    body: str | Callable[[], str] = ""

    def render(self) -> bytes:
        body = (self.body if isinstance(self.body, str) else self.body()).encode()
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if self.key:
            lines.append(f"Idempotency-Key: {self.key}")
        if body:
            lines.append(f"Content-Type: application/json\r\nContent-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    head: bytes
    body: bytes

    @property
    def says_when(self) -> bool:
        """Whether it tells the phone when to come back."""
        return b"\r\nretry-after: " in self.head.lower()


@dataclass(frozen=True, slots=True)
class Attempt:
    """Moments of the monotonic clock; ``due`` is when it should have been sent."""

    due: float
    ended: float
    status: int
    says_when: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.due


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Reply] | None = None
        self._buffer = b""

    async def ask(self, raw: bytes, port: int) -> Reply:
        """Send and wait, connecting if need be. Raises OSError (TimeoutError is one)."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._transport is None:
                    await loop.create_connection(lambda: self, "127.0.0.1", port)
                assert self._transport is not None
                self._answer = loop.create_future()
                self._transport.write(raw)
                return await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            self._answer = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, complete, rest = self._buffer.partition(b"\r\n\r\n")
        if not complete:
            return
        length = _LENGTH.search(head)
        if len(rest) < (int(length[1]) if length else 0):
            return
        self._buffer = b""
        if b"\r\nconnection: close" in head.lower():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Reply(int(head[9:12]), head, rest))

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())


@dataclass
class Load:
    """Requests sent by ``connections`` phones; with a ``rate``, so many a second fall due.

    A phone that is told when to come back (429, 503, a key in flight) does, unless it does
    not ``insist``. One that gets no reply tries again, at once or after ``rest`` seconds, and
    gives up after so many ``breaks`` in a row. It opens a new connection after ``renew``
    requests. All attempts and the final replies are noted.
    """

    port: int
    asks: Iterable[Ask]
    connections: int = 64
    rate: float | None = None
    insist: bool = True
    breaks: int | None = None
    rest: float = 0.0
    renew: int | None = None
    kept: list[tuple[Ask, Reply]] = field(default_factory=list)
    given_up: list[Ask] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    stopped: bool = False

    async def run(self) -> None:
        """Send until there are no more requests, or ``stopped`` is set."""
        source, started = iter(self.asks), time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(self.connections):
                group.create_task(self._phone(source, started, number))

    @property
    def statuses(self) -> Counter[int]:
        return Counter(one.status for one in self.attempts)

    def between(self, start: float, end: float) -> list[Attempt]:
        """Return the attempts that ended between two moments."""
        return [one for one in self.attempts if start <= one.ended < end]

    @property
    def good(self) -> list[tuple[Ask, Reply]]:
        return [(ask, reply) for ask, reply in self.kept if reply.status < 300]

    async def _phone(self, source: Iterator[Ask], started: float, number: int) -> None:
        connection = Connection()
        step = self.connections / self.rate if self.rate else 0.0
        due = started + (number / self.rate if self.rate else 0.0)
        try:
            for sent, ask in enumerate(source, start=1):
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                if self.stopped:
                    return
                await self._send(connection, ask, due if self.rate else time.monotonic())
                due += step
                if self.renew is not None and sent % self.renew == 0:
                    connection.close()
        finally:
            connection.close()

    async def _send(self, connection: Connection, ask: Ask, due: float) -> None:
        breaks = 0
        while not await self._try(connection, ask, due) and not self.stopped:
            if self.attempts[-1].says_when:
                if not self.insist:
                    return
                breaks = 0
                await asyncio.sleep(PAUSE_S)
            else:
                breaks += 1
                if breaks == self.breaks:
                    self.given_up.append(ask)
                    return
                if self.rest:
                    await asyncio.sleep(self.rest)
            due = time.monotonic()

    async def _try(self, connection: Connection, ask: Ask, due: float) -> bool:
        """Try once; return whether this was the final reply."""
        try:
            reply = await connection.ask(ask.render(), self.port)
        except OSError:
            self.attempts.append(Attempt(due, time.monotonic(), BROKEN))
            return False
        self.attempts.append(Attempt(due, time.monotonic(), reply.status, reply.says_when))
        if reply.says_when:
            return False
        self.kept.append((ask, reply))
        return True


def p99(attempts: Iterable[Attempt]) -> float:
    """Return the 99th percentile of what the attempts took, in milliseconds."""
    taken = sorted(one.seconds for one in attempts)
    assert taken, "nothing was measured"
    return 1000 * taken[int(len(taken) * 0.99)]


def different(first: Sequence[tuple[Ask, Reply]], again: Sequence[tuple[Ask, Reply]]) -> int:
    """Count the requests whose second reply has another body; 200 may repeat a 201."""
    bodies = {ask: reply.body for ask, reply in first}
    same = sum(bodies.get(ask) == reply.body for ask, reply in again)
    return len(bodies) - same
