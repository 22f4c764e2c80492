"""Generated requests for direct routes: valid, nearly valid and hostile, as ASGI messages.

What may be sent to an operation is read from its OpenAPI document; the values that exist (ids,
tokens, codes) come from the test's world.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

from hypothesis import strategies as st
from starlette.types import ASGIApp, Message, Scope

Header = tuple[bytes, bytes]
ORIGIN = "https://pages.example"
METHODS = ("HEAD", "OPTIONS", "GET", "POST", "PUT", "DELETE", "get", "BREW")
HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.0, 1.5, 10**30, -(10**400), float("nan"), float("inf")),
    *("", " ", "0", "null", "\x00", "\ud800", "é" * 300, "A" * 32, "x" * 5000, "NaN", "１２"),
    *([], {}, [1], [[]], {"a": {"b": []}}),
)
TEXTS = ("", "0", "1", "20", "100", "101", "-1", "1e3", "points", "month", "nope", "%", "%ff", "é")
TYPES = (
    *("application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "text/json"),
    *("application/json;charset=latin-1", "application/problem+json", "text/plain", ""),
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x; charset=utf-7"),
    *("multipart/form-data", "application/jsonp", "application/json, text/plain", "\xff"),
)
LANGUAGES = ("en", "zh-CN", "en;q=0.1, zh", "*", "", "xx" * 200, "en;q=x", "\xe4")
LENGTHS = ("0", "1", "65536", "65537", "99999999999999999999", "-1", "x", "")
KEYS = ("", '"', '"quoted"', "two words", "é", "x" * 256, "x" * 255, "\x7f", "a,b")


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    query: bytes = b""
    headers: tuple[Header, ...] = ()
    chunks: tuple[bytes, ...] = (b"",)

    def scope(self) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "server": ("test", 80),
            "client": ("192.0.2.1", 5000),
            "root_path": "",
            "path": self.path,
            "raw_path": quote(self.path).encode(),
            "query_string": self.query,
            "headers": list(self.headers),
        }


@dataclass(frozen=True)
class Operation:
    """A direct route, and values for it that exist.

    ``known``: by name, of parameters and of fields of the body. ``etag``: that of its reply.
    """

    method: str
    path: str
    document: dict[str, Any] = field(repr=False)
    schemas: dict[str, Any] = field(repr=False)
    known: dict[str, Any] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    etag: str = '"none"'

    def parameters(self, place: str) -> list[dict[str, Any]]:
        found = self.document.get("parameters", [])
        return [one for one in found if one["in"] == place]

    def fields(self) -> list[str]:
        """Return the names of the fields of the body."""
        schema = self.document["requestBody"]["content"]["application/json"]["schema"]
        models = [one["$ref"] for one in schema.get("anyOf", [schema]) if "$ref" in one]
        assert models, "a body is a model"
        named = [self.schemas[one.rpartition("/")[2]].get("properties", {}) for one in models]
        return sorted({name for one in named for name in one})

    def valid(self, *, method: str | None = None) -> Sent:
        """Return a valid request of the first caller with a new key."""
        body = b""
        if "requestBody" in self.document:
            body = json.dumps({n: self.known[n] for n in self.fields()}).encode()
        path = self.path
        for one in self.parameters("path"):
            path = path.replace(f"{{{one['name']}}}", str(self.known[one["name"]]))
        headers = {
            "host": "test",
            "x-request-id": "a-request-of-both",
            "authorization": f"Bearer {self.tokens[0]}",
            "idempotency-key": str(uuid4()),
            **({"content-type": "application/json"} if body else {}),
        }
        encoded = tuple((name.encode(), value.encode()) for name, value in headers.items())
        return Sent(method or self.method, path, headers=encoded, chunks=(body,))


@dataclass(frozen=True)
class Got:
    """A reply as it was sent, the route that was logged, and the body messages that were read."""

    status: int
    headers: list[Header]
    body: bytes
    route: str | None
    read: int


async def exchange(app: ASGIApp, sent: Sent) -> Got:
    messages: list[Message] = []
    left = [
        {"type": "http.request", "body": chunk, "more_body": n < len(sent.chunks)}
        for n, chunk in enumerate(sent.chunks, 1)
    ]

    async def receive() -> Message:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    scope = sent.scope()
    await app(scope, receive, send)
    start, *rest = messages
    assert start["type"] == "http.response.start"
    assert {one["type"] for one in rest} == {"http.response.body"}
    return Got(
        start["status"],
        [*start["headers"]],
        b"".join(one.get("body", b"") for one in rest),
        getattr(scope.get("route"), "path", None),
        len(sent.chunks) - len(left),
    )


@st.composite
def requests(draw: st.DrawFn, operation: Operation) -> Sent:
    """Draw a request: mostly of the operation's method, with one or a few things wrong."""
    body = draw(_bodies(operation)) if "requestBody" in operation.document else b""
    if draw(_seldom):
        body = draw(st.binary(max_size=40))
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3))) if draw(_seldom) else []
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    return Sent(
        draw(st.sampled_from(METHODS)) if draw(_seldom) else operation.method,
        draw(_paths(operation)),
        draw(_queries(operation)),
        tuple(draw(_headers(operation, body))),
        tuple(chunks),
    )


_seldom = st.integers(0, 9).map(lambda n: n == 9)
_often = st.integers(0, 11).map(lambda n: n < 11)
_json = st.recursive(
    st.sampled_from(HOSTILE) | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@st.composite
def _paths(draw: st.DrawFn, operation: Operation) -> str:
    path = operation.path
    for one in operation.parameters("path"):
        known = str(operation.known[one["name"]])
        others = ["nope", "", "a/b", " ", "%2e", "\x00", "é", known.upper(), f"{{{known}}}"]
        value = known if draw(_often) else draw(st.sampled_from([*others, str(UUID(int=7))]))
        path = path.replace(f"{{{one['name']}}}", value)
    return path if draw(_often) else path + draw(st.sampled_from(["/", "//", ".csv", "\n", "?"]))


@st.composite
def _queries(draw: st.DrawFn, operation: Operation) -> bytes:
    if draw(_seldom):
        return draw(st.sampled_from([b"%ff=%zz&&=", b"&", b"=", b"\xff=\xff", b"a" * 5000]))
    pairs = []
    for one in operation.parameters("query"):
        valid = [*_values(one["schema"]), *operation.known.get(one["name"], [])]
        values = st.sampled_from([*valid, *valid, *TEXTS]).map(str)
        times = draw(st.sampled_from([0, 0, 0, 1, 1, 2]))
        pairs += [(one["name"], draw(values)) for _ in range(times)]
    if draw(_seldom):
        pairs.append((draw(st.sampled_from(["unknown", "", "Unit", "limit[]"])), "1"))
    return urlencode(draw(st.permutations(pairs))).encode()


def _values(schema: dict[str, Any]) -> list[Any]:
    """Return values of a schema: of an enum all, else what it says itself, or what is near."""
    found = [value for one in schema.get("anyOf", []) for value in _values(one)]
    found += schema.get("enum", []) + [
        schema[name] for name in ("const", "default") if name in schema
    ]
    found += [schema[name] for name in ("minimum", "maximum") if name in schema]
    found += _values(schema["items"]) if "items" in schema else []
    return [value for value in found if value is not None]


@st.composite
def _bodies(draw: st.DrawFn, operation: Operation) -> bytes:
    names = operation.fields()
    fields = {name: operation.known[name] for name in names if name in operation.known}
    what = draw(st.sampled_from(["valid", "field", "field", "twice", "twice", "value", "bytes"]))
    if what == "field":
        name = draw(st.sampled_from([*names, "unknown"]))
        if draw(st.booleans()):
            fields[name] = draw(_json)
        else:
            fields.pop(name, None)
    value = draw(_json) if what == "value" else fields
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    if what == "twice" and fields:
        name = draw(st.sampled_from(sorted(fields)))
        text = text[:-1] + f", {json.dumps(name)}: {json.dumps(fields[name])}}}"
    whole = text.encode("utf-8", "surrogatepass")
    if what != "bytes":
        return whole
    long = {size: b"{" + b" " * size + whole[1:] for size in (4000, 4097, 70_000)}
    spoilt = [b"", b" ", whole[:-1], whole + b"x", b"\xef\xbb\xbf" + whole, b"\xff" + whole]
    spoilt += [text.encode(one, "surrogatepass") for one in ("utf-16", "utf-32")]
    spoilt += [b"[" * 3000, b'{"a":' * 700, whole.replace(b'"', b'"\xed\xa0\x80', 1)]
    return draw(st.sampled_from([*spoilt, *long.values()]))


@st.composite
def _headers(draw: st.DrawFn, operation: Operation, body: bytes) -> list[Header]:
    """Draw headers; the request id is given, so that replies can be equal."""
    token = operation.tokens[0]
    tokens = [f"bearer  {token}", token, "Bearer", "Bearer ", f"Basic {token}", f"Bearer {token}x"]
    tokens += ["Bearer " + "x" * 9000, "", *(f"Bearer {one}" for one in operation.tokens)]
    tags = [
        operation.etag,
        f"W/{operation.etag}",
        f'"a", {operation.etag}',
        "*",
        '"',
        operation.etag[:-1],
    ]
    choices: dict[str, tuple[str | None, list[str]]] = {
        "authorization": (f"Bearer {token}", tokens),
        "content-type": ("application/json" if body else None, [*TYPES]),
        "content-length": (str(len(body)), [*LENGTHS]),
        "idempotency-key": (str(draw(st.uuids())), [*KEYS, *operation.keys]),
        "accept-language": (None, [*LANGUAGES]),
        "if-none-match": (None, tags),
        "if-match": (None, tags),
        "origin": (None, [ORIGIN, "https://other.example", "null", ""]),
        "access-control-request-method": (None, ["POST", "GET", "TRACE"]),
        "expect": (None, ["100-continue"]),
        "host": ("test", ["", "test:80", "[", "other.example"]),
    }
    headers: list[Header] = [(b"x-request-id", b"a-request-of-both")]
    for name, (usual, others) in choices.items():
        value = usual if draw(_often) else draw(st.sampled_from([None, *others]))
        times = 2 if value is not None and draw(st.integers(0, 40)) == 40 else 1
        if value is not None:
            headers += [(name.encode(), value.encode("latin-1", "replace"))] * times
    return headers
