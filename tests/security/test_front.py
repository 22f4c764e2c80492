"""The front proxy that we ship: it closes slow clients, and lets through what it should."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from app.core.errors import Busy, RateLimited, Refusal, TooLarge
from app.core.http_limits import MAX_HEAD_BYTES
from app.main import MAX_BODY_BYTES
from app.routers.attachments import MAX_UPLOAD_BYTES
from app.routers.awards import MAX_BATCH_BYTES
from app.routers.scans import MAX_BYTES as MAX_SCAN_BYTES
from app.serve import KEEP_ALIVE_S
from tests.faults.server import Server, server
from tests.security.fronts import CONFIGURATION, NAME, Front, check, front

security = pytest.mark.security
SLOW_CLIENTS = 50
SERVED = 300  # an address may ask for twice as many at once
CLOSED_WITHIN_S = 20  # the longest timeout is 5 s; the rest is a slow machine's
HEAD = f"POST /api/v1/auth/refresh HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/json\r\n"
# What a slow client sends before it falls silent.
SLOW = {
    "nothing": b"",
    "half a request line": b"GET /api/v1/or",
    "half a header": HEAD.encode(),
    "half a body": f"{HEAD}Content-Length: 1000\r\n\r\n".encode() + b'{"refresh_token":',
    "half a chunk": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + b"400\r\n{",
}
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def directive(name: str) -> list[str]:
    """Return every value that the configuration gives to a directive."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    return re.findall(rf"^\s*{name}\s+([^;]+);", text, re.MULTILINE)


def test_front_and_service_have_the_same_limits() -> None:
    limits = (MAX_BODY_BYTES, MAX_BATCH_BYTES, MAX_SCAN_BYTES, MAX_UPLOAD_BYTES)
    sizes = [f"{size // 1024}k" for size in limits]
    assert directive("client_max_body_size") == sizes
    assert directive("client_body_buffer_size") == sizes[:2]
    assert directive("keepalive_timeout") == ["30s", "60s"]
    assert KEEP_ALIVE_S > 60
    assert directive("large_client_header_buffers") == [f"4 {MAX_HEAD_BYTES // 1024 // 4}k"]


@pytest.mark.parametrize("refusal", [TooLarge, RateLimited, Busy])
def test_what_the_front_refuses_looks_like_the_services_refusal(refusal: type[Refusal]) -> None:
    bodies = [json.loads(body) for body in re.findall(r"return \d+ '(.+)'", _text())]
    found = {body["code"]: body for body in bodies}

    assert found[refusal.code] == {
        "type": f"urn:qingxiang:problem:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.zh,
        "msg": refusal.zh,
        "request_id": "$request_id",
    }


@security
def test_nginx_understands_the_configuration(tmp_path: Path) -> None:
    done = check(tmp_path)

    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("front") / "data", log_level="warning") as one:
        yield one


@security
async def test_slow_clients_are_closed_while_others_are_served(
    running: Server, tmp_path: Path
) -> None:
    port = int(running.url.rsplit(":", 1)[1])
    with front(tmp_path / "front", port) as shown:
        slow = [await _slow(shown, kind) for kind in _kinds(SLOW_CLIENTS)]
        bare = [await _slow(None, kind, port) for kind in _kinds(len(SLOW))]
        closing = asyncio.gather(*(_closed(one) for one in slow))
        served = 0
        async with client(shown) as http:
            while not closing.done() and served < SERVED:
                response = await http.get("/api/v1/orgs")
                assert response.status_code == 200
                served += 1
        assert served > 0
        await closing
        print(f"\n{served} requests served while {SLOW_CLIENTS} clients were slow")  # noqa: T201

        # The control: the server itself has closed none of them by now.
        assert [one for one in bare if one[0].at_eof()] == []
        for _, writer in bare:
            writer.close()


@security
async def test_the_inside_stays_inside(running: Server, tmp_path: Path) -> None:
    with front(tmp_path / "front", int(running.url.rsplit(":", 1)[1])) as shown:
        async with client(shown) as http:
            for path in ("/metrics", "/readyz", "/%2Fmetrics", "/x/../readyz", "/%6detrics"):
                assert (await http.get(path)).status_code == 404, path
            made = await http.post("/sandbox/wechat/codes", json={"user": "eve"})
            assert made.status_code == 404
            assert (await http.get("/healthz")).status_code == 200
            large = await http.post("/api/v1/auth/refresh", content=b" " * (MAX_BODY_BYTES + 1))
            assert large.status_code == 413
            assert large.json()["code"] == "request.too_large"
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{running.url}/metrics")).status_code == 200, "the control"


@security
async def test_another_name_gets_no_answer(running: Server, tmp_path: Path) -> None:
    with front(tmp_path / "front", int(running.url.rsplit(":", 1)[1])) as shown:
        async with client(shown, name="evil.example.org") as http:
            with pytest.raises(httpx.ConnectError, match="unrecognized name"):
                await http.get("/healthz")


@security
async def test_the_service_hears_whole_requests_and_true_addresses(tmp_path: Path) -> None:
    heard: list[bytes] = []
    async with recording(heard) as port:
        with front(tmp_path / "front", port) as shown:
            cut = await _slow(shown, "half a body")
            await _closed(cut)
            assert heard == [], "half a request is none"
            forged = {"X-Forwarded-For": "10.9.8.7", "X-Request-ID": "forged-by-the-client"}
            async with client(shown) as http:
                for _ in range(2):
                    await http.post("/api/v1/checkins", headers=forged, json={"code": "x"})
    assert len(heard) == 1, "both came over one connection"
    assert heard[0].count(b"X-Forwarded-For: 127.0.0.1\r\n") == 2
    assert heard[0].count(b"X-Forwarded-Proto: https\r\n") == 2
    assert heard[0].count(f"Host: {NAME}\r\n".encode()) == 2
    assert b"10.9.8.7" not in heard[0]
    assert b"forged" not in heard[0]
    assert len(set(re.findall(rb"X-Request-ID: ([0-9a-f]{32})\r\n", heard[0]))) == 2


@security
async def test_the_front_limits_what_the_process_limits_itself(tmp_path: Path) -> None:
    """What ``app/core/http_limits.py`` says that a process behind this front never sees."""
    get = f"GET /api/v1/orgs HTTP/1.1\r\nHost: {NAME}\r\n".encode()
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    chunked = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n".encode()
    long_head = get + (b"X: " + b"a" * 10_000 + b"\r\n") * (MAX_HEAD_BYTES // 10_000 + 2)
    last = get + b"Connection: close\r\n\r\n"
    heard: list[bytes] = []
    async with recording(heard, pieces=True) as port:
        with front(tmp_path / "front", port) as shown:
            refused = await _said(shown, long_head + b"\r\n")
            assert (refused[:12], heard) == (b"HTTP/1.1 400", [])
            asked = get + upgrade + chunked + b"X-Trailer: y\r\n\r\n" + get + b"\r\n" + last
            answered = await _said(shown, asked)
    assert answered.count(b"HTTP/1.1 204 ") == 4
    assert [piece.count(b"X-Request-ID: ") for piece in heard] == [1] * 4, "none is pipelined"
    assert not re.search(rb"upgrade|x-trailer|chunked", b"".join(heard), re.IGNORECASE)


@security
async def test_a_service_that_is_gone_is_busy(tmp_path: Path) -> None:
    async with recording([]) as port:
        pass
    with front(tmp_path / "front", port) as shown:
        async with client(shown) as http:
            response = await http.get("/api/v1/orgs")

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    assert response.json()["code"] == "service.busy"


def _text() -> str:
    return CONFIGURATION.read_text(encoding="utf-8")


def _kinds(number: int) -> list[str]:
    return (list(SLOW) * number)[:number]


async def _slow(shown: Front | None, kind: str, port: int = 0) -> Connection:
    """Connect, through the front or to the server itself, and begin a request."""
    if shown is None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    else:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", shown.port, ssl=shown.tls, server_hostname=NAME
        )
    writer.write(SLOW[kind])
    await writer.drain()
    return reader, writer


async def _said(shown: Front, asked: bytes) -> bytes:
    """Send requests in one piece; return all that is answered until the front hangs up."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", shown.port, ssl=shown.tls, server_hostname=NAME
    )
    writer.write(asked)
    async with asyncio.timeout(CLOSED_WITHIN_S):
        answer = await reader.read()
    writer.close()
    return answer


async def _closed(connection: Connection) -> None:
    """Wait until the other side has closed; fail if it does not."""
    async with asyncio.timeout(CLOSED_WITHIN_S):
        with suppress(ConnectionError):
            while await connection[0].read(4096):
                pass
    connection[1].close()


@asynccontextmanager
async def client(shown: Front, name: str = NAME) -> AsyncIterator[httpx.AsyncClient]:
    """Call the front by its name, which no resolver knows."""

    async def by_name(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = name

    async with httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{shown.port}",
        headers={"Host": name},
        verify=shown.tls,
        event_hooks={"request": [by_name]},
    ) as http:
        yield http


@asynccontextmanager
async def recording(heard: list[bytes], *, pieces: bool = False) -> AsyncIterator[int]:
    """Serve 204 for everything; keep what came over each connection, or each piece of it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(heard)
        if not pieces:
            heard.append(b"")
        while piece := await reader.read(65536):
            if pieces:
                heard.append(piece)
            else:
                heard[place] += piece
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        yield listener.sockets[0].getsockname()[1]
