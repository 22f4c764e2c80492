"""A body that is too large is refused while it comes in, whoever sends it."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from app.main import MAX_BODY_BYTES
from app.routers.awards import MAX_BATCH_BYTES
from app.runtime import Runtime
from app.services.attachments.content import MAX_BYTES
from tests.factories.activities import make_activity
from tests.factories.attachments import make_pdf
from tests.factories.http import assert_refused, keyed
from tests.factories.people import make_organizer, make_person
from tests.faults.server import Server, server
from tests.faults.waiting import until

PATH = "/api/v1/checkins"
CHUNK = b"x" * 16 * 1024
HUGE = 200 * 1024 * 1024
MAX_GROWTH = 10 * 1024 * 1024
DEADLINE_S = 60


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "chunked"])
async def test_a_large_body_is_refused_before_it_is_read(
    api: httpx.AsyncClient, *, declared: bool
) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 * MAX_BODY_BYTES:
            sent += len(CHUNK)
            yield CHUNK

    headers = {"Content-Length": str(64 * MAX_BODY_BYTES)} if declared else {}
    response = await api.post(PATH, content=body(), headers=headers)

    assert_refused(response, 413, "request.too_large")
    assert sent <= MAX_BODY_BYTES + 2 * len(CHUNK)


async def test_a_batch_is_not_taken_from_strangers(api: httpx.AsyncClient) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < MAX_BATCH_BYTES:
            sent += len(CHUNK)
            yield CHUNK

    response = await api.post("/api/v1/awards/batches", content=body())

    assert_refused(response, 401, "auth.login_required")
    assert sent == 0


def form_of(subject: tuple[str, str], size: int, sent: list[int]) -> Any:
    """Return a multipart form that comes in pieces, and notes the bytes that were asked for."""
    fields = {"subject_type": subject[0], "subject_id": subject[1]}
    request = httpx.Request("POST", "http://test", data=fields, files={"file": make_pdf(size)})
    whole = request.read()

    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), len(CHUNK)):
            sent.append(len(CHUNK))
            yield whole[start : start + len(CHUNK)]

    return {"content": body(), "headers": {"content-type": request.headers["content-type"]}}


async def test_a_file_is_not_taken_from_who_may_not_attach(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity, stranger = await make_activity(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, activity.org_id)
    known, unknown = ("activity", str(activity.id)), ("activity", str(uuid4()))
    read: dict[str, tuple[int, list[int]]] = {}
    for name, person, subject in (
        ("may not", stranger, known),
        ("not there", organizer, unknown),
        ("may", organizer, known),
    ):
        sent: list[int] = []
        form = form_of(subject, MAX_BYTES, sent)
        form["headers"] |= keyed(person)
        response = await api.post("/api/v1/attachments", **form)
        read[name] = (response.status_code, sent)

    assert {name: status for name, (status, _) in read.items()} == {
        "may not": 403,
        "not there": 404,
        "may": 201,
    }
    assert sum(read["may"][1]) >= MAX_BYTES
    assert max(sum(read["may not"][1]), sum(read["not there"][1])) <= 3 * len(CHUNK)


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("multipart/form-data; boundary=x", "request.malformed"),
        ("multipart/form-data", "request.malformed"),
        ("multipart/mixed; boundary=x", "request.invalid"),
        ("application/json", "request.invalid"),
    ],
)
async def test_what_is_no_form_is_refused_when_it_is_read(
    api: httpx.AsyncClient, runtime: Runtime, content_type: str, code: str
) -> None:
    headers = keyed(await make_person(runtime)) | {"content-type": content_type}
    response = await api.post("/api/v1/attachments", content=CHUNK * 2, headers=headers)
    assert response.json()["code"] == code


async def test_a_body_within_the_limit_is_read(api: httpx.AsyncClient) -> None:
    """The control: it is refused for want of a token, not for its length."""
    response = await api.post(PATH, content=b" " * (MAX_BODY_BYTES - 2) + b"{}")

    assert_refused(response, 401, "auth.login_required")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("bodies") / "data", log_level="warning") as one:
        assert httpx.post(one.url + PATH, json={}).status_code == 401, "warm"
        yield one


@pytest.mark.security
@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "chunked"])
def test_two_hundred_megabytes_do_not_fill_the_memory(running: Server, *, declared: bool) -> None:
    before = memory(running)

    answer, peak, sent = pour(running, declared=declared)

    print(f"\nanswer {answer}, {sent} bytes taken, grown by {peak - before} bytes")  # noqa: T201
    assert answer == 413
    assert peak - before < MAX_GROWTH
    assert httpx.get(f"{running.url}/healthz").status_code == 200


def pour(running: Server, *, declared: bool) -> tuple[int, int, int]:
    """Send 200 MB, or as much as the server takes, and go on after its answer.

    Returns the status, the highest memory of the server meanwhile, and the bytes sent.
    """
    host, port = running.url.removeprefix("http://").split(":")
    framing = f"Content-Length: {HUGE}" if declared else "Transfer-Encoding: chunked"
    piece = CHUNK if declared else b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK)
    peak = sent = 0
    with socket.create_connection((host, int(port)), DEADLINE_S) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}{framing}\r\n\r\n".encode())
        with suppress(ConnectionError):  # it may close on us
            while sent < HUGE:
                connection.sendall(piece)
                sent += len(CHUNK)
                if sent % (64 * len(CHUNK)) == 0:
                    peak = max(peak, memory(running))
        answer = connection.recv(4096)
    until(lambda: httpx.get(f"{running.url}/healthz").status_code == 200)
    return int(answer.split()[1]), max(peak, memory(running)), sent


def memory(running: Server) -> int:
    rss: int = psutil.Process(running.process.pid).memory_info().rss
    return rss
