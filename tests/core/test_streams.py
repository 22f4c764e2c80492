"""Streams: what changes, heartbeats, and their ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.core.errors import Busy, Invalid
from app.core.etag import TaggedBody
from app.core.streams import HEARTBEAT_S, RETRY_AFTER_S, Stream, Streams

TEN_MINUTES = 600.0
Found = str | Exception


class Watch:
    """A clock that goes on by ``step`` seconds with each look at what is streamed."""

    def __init__(self, *found: Found, step: float = 1.0) -> None:
        self.found, self.step, self.at = [*found], step, 0.0

    async def read(self) -> TaggedBody:
        self.at += self.step
        one = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(one, Exception):
            raise one
        return TaggedBody(one, one.encode())


async def sent(
    stream: Stream, watch: Watch, known: str = "", stop: Callable[[], Awaitable[None]] | None = None
) -> list[str | None]:
    """Follow a stream to its end; return the tags, and None for heartbeats."""
    found: list[str | None] = []
    async for one in stream.changes(watch.read, known, look_every_s=0, clock=lambda: watch.at):
        found.append(one.tag if one is not None else None)
        if stop is not None:
            await stop()
    return found


async def test_only_changes_are_sent_and_heartbeats_between() -> None:
    stream = Streams(1, seconds=5 * HEARTBEAT_S).open()
    watch = Watch("a", "a", Busy(), "b", "b")
    assert await sent(stream, watch) == ["a", "b", *[None] * 4]
    assert watch.at == 5 * HEARTBEAT_S


async def test_what_the_client_has_is_not_sent_again() -> None:
    stream = Streams(1, seconds=3).open()
    assert await sent(stream, Watch("a", "a", "b"), known="a") == ["b"]


async def test_a_stream_ends_with_the_right_to_read() -> None:
    stream = Streams(1, TEN_MINUTES).open()
    assert await sent(stream, Watch("a", Invalid())) == ["a"]


async def test_a_stream_ends_with_the_process() -> None:
    stream = Streams(1, TEN_MINUTES).open()

    async def stop() -> None:
        stream.stop()

    assert await sent(stream, Watch("a", "b"), stop=stop) == ["a"]
    # One that waits for its next look does not wait for it.
    waiting = Streams(1, TEN_MINUTES).open()
    changes = waiting.changes(Watch("a").read, look_every_s=TEN_MINUTES)
    assert await anext(changes) == TaggedBody("a", b"a")
    ending = asyncio.create_task(anext(changes, None))
    await asyncio.sleep(0)
    waiting.stop()
    assert await ending is None


async def test_places_are_limited_and_given_back_once() -> None:
    streams = Streams(2, TEN_MINUTES)
    first, _ = streams.open(), streams.open()
    with pytest.raises(Busy) as refused:
        streams.open()
    assert refused.value.retry_after == RETRY_AFTER_S
    first.close()
    first.close()
    streams.open()
    with pytest.raises(Busy):
        streams.open()
