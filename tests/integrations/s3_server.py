"""A store that speaks the part of S3's protocol that is used here, in memory.

Requests are authenticated as S3 does it: AWS Signature Version 4, computed here independently of
the client.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit
from xml.sax.saxutils import escape

BUCKET, REGION, ACCESS_KEY, SECRET_KEY = "attachments", "cn-test-1", "an-access-key", "a-secret-key"
PAGE = 2  # objects of a listing, so that it has several pages


@dataclass
class Bucket:
    """Objects by key: bytes, content type and when they were stored. ``failing``: answer 503."""

    url: str = ""
    objects: dict[str, tuple[bytes, str, datetime]] = field(default_factory=dict)
    failing: bool = False


def _signature(handler: BaseHTTPRequestHandler, body: bytes) -> str:
    """Return the signature that a request must have."""
    address = urlsplit(handler.path)
    authorization = dict(
        part.strip().split("=", 1)
        for part in handler.headers["Authorization"].removeprefix("AWS4-HMAC-SHA256").split(",")
    )
    names = authorization["SignedHeaders"].split(";")
    headers = "".join(f"{name}:{handler.headers[name].strip()}\n" for name in names)
    query = "&".join(
        f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}"
        for k, v in sorted(parse_qsl(address.query, keep_blank_values=True))
    )
    digest = sha256(body).hexdigest()
    canonical = "\n".join(
        [str(handler.command), address.path, query, headers, authorization["SignedHeaders"], digest]
    )
    at = handler.headers["x-amz-date"]
    scope = f"{at[:8]}/{REGION}/s3/aws4_request"
    assert authorization["Credential"] == f"{ACCESS_KEY}/{scope}"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (at[:8], REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert hmac.digest(key, text.encode(), "sha256").hex() == authorization["Signature"]
    return digest


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        if (body := self._body()) is not None:
            kind = self.headers["Content-Type"]
            self.bucket.objects[self._key()] = (body, kind, datetime.now(UTC))
            self._answer(200, headers={"ETag": '"an-etag"'})

    def do_GET(self) -> None:
        if self._body() is None:
            return
        if not self._key():
            self._list(dict(parse_qsl(urlsplit(self.path).query)))
        elif (found := self.bucket.objects.get(self._key())) is None:
            self._refuse(404, "NoSuchKey")
        else:
            self._answer(200, found[0], found[1])

    def do_DELETE(self) -> None:
        if self._body() is not None:
            self.bucket.objects.pop(self._key(), None)
            self._answer(204)

    def _key(self) -> str:
        return urlsplit(self.path).path.removeprefix(f"/{BUCKET}").removeprefix("/")

    def _body(self) -> bytes | None:
        """Return the body of a request that is signed; answer any other."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.bucket.failing:
            self._answer(503)
            return None
        try:
            assert _signature(self, body) == self.headers["x-amz-content-sha256"]
        except AssertionError:
            self._refuse(403, "SignatureDoesNotMatch")
            return None
        return body

    def _list(self, query: dict[str, str]) -> None:
        assert query["list-type"] == "2"
        after = query.get("continuation-token", query.get("start-after", ""))
        rest = sorted(key for key in self.bucket.objects if key > after)
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>1</Size><LastModified>"
            f"{self.bucket.objects[key][2]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
            for key in rest[:PAGE]
        )
        more = len(rest) > PAGE
        token = f"<NextContinuationToken>{rest[PAGE - 1]}</NextContinuationToken>" if more else ""
        text = (
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{token}{items}</ListBucketResult>"
        )
        self._answer(200, text.encode(), "application/xml")

    def _refuse(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>no</Message><Resource>/</Resource></Error>"
        self._answer(status, text.encode(), "application/xml")

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "text/plain",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        lengths = {} if status == 204 else {"Content-Length": str(len(body))}
        for name, value in {"Content-Type": content_type, **lengths, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


@contextmanager
def s3_server() -> Iterator[Bucket]:
    """Serve one bucket on a free port of this machine."""
    bucket = Bucket()
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        bucket.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()
