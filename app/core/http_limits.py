"""Limits on what one connection may send, for a process that no front proxy protects.

Behind ``deploy/nginx.conf`` most of this never happens, because nginx

* passes on a request only when it is whole, with a head of at most 64 KiB,
* sends the next request on a connection only after the reply to the one before,
* drops trailers and ``Upgrade``.

The process limits the same itself, for uvicorn limits none of it and clients can reach a
process without that front: in development and tests, from inside the network of the
deployment, and through another proxy that passes on more. nginx limits the size of all headers,
not their number: ``MAX_HEADERS`` is checked only here. Slow clients are the opposite: only the
front closes them (docs/security.md).
"""

import asyncio
from collections.abc import Sized

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Of a head, and of a body's trailers. nginx: large_client_header_buffers.
MAX_HEAD_BYTES = 64 * 1024
# Headers and trailers of a request. Each costs the parser as much as 1 KB of one long header.
MAX_HEADERS = 100
# Pipelined requests of a connection: read, but waiting for the reply to an earlier one.
MAX_PIPELINED = 100

HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, limited; one object for each connection.

    httptools calls the ``on_…`` methods from within ``feed_data``; a ValueError that they
    raise comes out of it as an HttpParserError. uvicorn's ``cycle`` is the newest request
    whose head is complete, ``pipeline`` holds the requests whose handlers have not started,
    the newest on the left.
    """

    # Bytes received since the parser last reported a whole head, a piece of a body or the end of
    # a request. It grows with a head or trailer that does not end, with empty lines before a
    # request and with chunk extensions.
    _bytes_without_progress = 0
    # Of the request that is being read: its headers and trailers, and the size of both.
    _header_count = _header_bytes = 0
    _head_complete = False
    # The request before ``cycle``.
    _previous_cycle: RequestResponseCycle | None = None
    # Set by a refusal: whatever the client still sends is dropped.
    _refused = False

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _FlowControl(self.transport, self.pipeline)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn cancels the keep-alive timer only without an exception. After a reset, the
        # timer would keep this object in memory until it fires.
        self._unset_keepalive_if_required()
        # Requests that never started refer to this object and it to them. Their bodies may be
        # large; without these references they are freed now, not by the garbage collector.
        self.pipeline.clear()
        self.cycle = self._previous_cycle = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._bytes_without_progress += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        # Checked after parsing: one piece of data may hold many whole requests.
        if self._bytes_without_progress > MAX_HEAD_BYTES and not self._refused:
            self._refuse(HEAD_TOO_LARGE)

    # ``Upgrade`` is ignored

    def _parse(self, data: bytes) -> None:
        """Feed the parser; when it stops at an ``Upgrade``, feed it the same head without it.

        A server may ignore ``Upgrade`` (RFC 9110, 7.8). The parser cannot: it stops after such
        a head, and what it is fed next, the body of that request, it parses as a new request.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self.parser.get_method() == b"CONNECT":
                    self.send_400_response("This is no proxy.")
                    return
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode())]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    # Called by the parser

    def on_message_begin(self) -> None:
        self._header_count = self._header_bytes = 0
        self._head_complete = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header or trailer; keep only headers.

        uvicorn would append trailers to the headers, where an ``Authorization`` or
        ``X-Forwarded-For`` that no front has seen would be believed.
        """
        self._header_count += 1
        self._header_bytes += len(name) + len(value)
        if self._header_count > MAX_HEADERS or self._header_bytes > MAX_HEAD_BYTES:
            raise ValueError("too many headers")
        if not self._head_complete:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # _parse feeds this head again
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError("too many pipelined requests")
        self._bytes_without_progress = 0
        self._head_complete = True
        self._previous_cycle = self.cycle
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._bytes_without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._bytes_without_progress = 0
        super().on_message_complete()

    # Refusals

    def send_400_response(self, msg: str) -> None:
        self._refuse(_bad_request(msg.encode()))

    def _refuse(self, response: bytes) -> None:
        """Refuse the request that is being read and close the connection.

        Replies have the order of the requests, so that a client can tell which is which:
        earlier requests are answered first, and where one of them is unanswered, closing the
        connection after its reply is the refusal. uvicorn closes after the reply to a cycle
        whose ``keep_alive`` is false.
        """
        self._refused = True
        newest = self.cycle
        if newest is None or (newest.response_complete and not newest.more_body):
            # No request is open: what is refused is a new one.
            self._send_and_close(response)
        elif newest.response_complete:
            # The body of a request that has its reply already.
            self.transport.close()
        elif not newest.more_body:
            # A new request behind one that is whole and unanswered.
            newest.keep_alive = False
        elif self.pipeline:
            # The body of a pipelined request: it is removed unanswered, those before it are not.
            self.pipeline.popleft()
            assert self._previous_cycle is not None
            self._previous_cycle.keep_alive = False
        else:
            # The body of the request whose handler is running.
            self._send_and_close(response)

    def _send_and_close(self, response: bytes) -> None:
        self.transport.write(response)
        self.transport.close()


class _FlowControl(FlowControl):
    """Keeps reading paused while pipelined requests wait.

    uvicorn pauses reading when it queues a request, and resumes it for the body of the running
    one. That body has been read to its end when a request waits behind it, so resuming would
    only read more requests and bodies into memory.
    """

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline:
            super().resume_reading()


def _bad_request(message: bytes) -> bytes:
    return (
        b"HTTP/1.1 400 Bad Request\r\n"
        b"content-type: text/plain; charset=utf-8\r\n"
        b"content-length: %d\r\n"
        b"connection: close\r\n\r\n%s" % (len(message), message)
    )
