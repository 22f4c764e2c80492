"""Server-sent events: the reply that carries a stream to a web page."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.middleware import IS_HEAD
from app.core.etag import TaggedBody
from app.core.streams import ON_SHUTDOWN, Stream

# Milliseconds until a client connects again.
RETRY_MS = 3_000


class EventStream(StreamingResponse):
    """Sends the changes of a stream as events, with their tags as ids, and closes the stream.

    Not FastAPI's ``EventSourceResponse``: that knows no shutdown, and its generators can refuse
    nothing.

    It ends when the client goes away (Starlette listens for it), and at a shutdown. nginx passes
    each piece on at once, because of ``X-Accel-Buffering``.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        stream: Stream,
        read: Callable[[], Awaitable[TaggedBody]],
        known: str,
        status_code: int = 200,
    ) -> None:
        """Make the reply. ``known``: the id of the last event that the client got.

        ``status_code`` has a default because FastAPI reads it for the OpenAPI document.
        """
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        self._stream = stream
        self._events = _events(stream.changes(read, known))
        super().__init__(self._events, status_code, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})[ON_SHUTDOWN] = self._stream.stop
        try:
            async with aclosing(self._events):
                if IS_HEAD in scope:
                    self._stream.stop()
                await super().__call__(scope, receive, send)
        finally:
            self._stream.close()


async def _events(changes: AsyncIterator[TaggedBody | None]) -> AsyncGenerator[bytes]:
    yield format_sse_event(retry=RETRY_MS)
    async for one in changes:
        if one is None:
            yield format_sse_event(comment="heartbeat")
        else:
            assert one.body is not None
            yield format_sse_event(data_str=one.body.decode(), id=one.tag)
