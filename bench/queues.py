"""Queues of requests: each connection sends its own, one after the other, as a counter serves.

A request is repeated while the service is busy. A client of our own where each request has to be
answered exactly once: wrk loses the last replies.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.wrk import Request

# A refusal with Retry-After: the till asks again with the same key.
BUSY, MOST_REPEATS, PAUSE_S = 503, 20, 0.2


@dataclass(frozen=True, slots=True)
class Reply:
    """``seconds``: from the first request to the last byte of the last reply.

    ``busy``: how often the service was busy and the request was sent again, with the same key.
    """

    status: int
    seconds: float
    body: bytes
    busy: int = 0


@dataclass(frozen=True, slots=True)
class Served:
    """What became of queues; ``seconds``: until the longest one was empty."""

    seconds: float
    replies: list[Reply]

    @property
    def rate(self) -> float:
        return len(self.replies) / self.seconds

    @property
    def busy(self) -> int:
        return sum(one.busy for one in self.replies)

    @property
    def refused(self) -> int:
        return sum(one.status >= 400 for one in self.replies)

    def percentile(self, percent: int) -> float:
        """Return a percentile of the times, in milliseconds."""
        times = [one.seconds * 1000 for one in self.replies]
        return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]

    @property
    def longest(self) -> float:
        return max(one.seconds for one in self.replies) * 1000


async def serve(port: int, requests: Sequence[Request], queues: int) -> Served:
    """Send requests by so many connections in turn; return the replies in the same order."""
    began = time.perf_counter()
    parts = [requests[number::queues] for number in range(queues)]
    found = await asyncio.gather(*(_serve(port, part) for part in parts))
    seconds = time.perf_counter() - began
    replies = [found[number % queues][number // queues] for number in range(len(requests))]
    return Served(seconds, replies)


async def ask(port: int, request: Request) -> Reply:
    """Send one request."""
    return (await _serve(port, [request]))[0]


async def _serve(port: int, queue: Sequence[Request]) -> list[Reply]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        return [await _ask(reader, writer, one) for one in queue]
    finally:
        writer.close()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request
) -> Reply:
    raw, began = _rendered(request), time.perf_counter()
    busy = 0
    status, body = await _once(reader, writer, raw)
    while status == BUSY and busy < MOST_REPEATS:
        await asyncio.sleep(PAUSE_S)
        busy += 1
        status, body = await _once(reader, writer, raw)
    return Reply(status, time.perf_counter() - began, body, busy)


async def _once(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes
) -> tuple[int, bytes]:
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((one for one in lines if one.startswith(b"content-length:")), None)
    body = await reader.readexactly(int(length.split(b":")[1])) if length else b""
    assert length or b"transfer-encoding: chunked" not in lines, "replies have a length"
    return int(lines[0].split()[1]), body


def _rendered(request: Request) -> bytes:
    body = request.body.encode()
    lines = [f"{request.method} {request.path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {request.token}"] if request.token else []
    lines += [f"Idempotency-Key: {request.key}"] if request.key else []
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
