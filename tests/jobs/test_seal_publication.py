"""Publication of seals: each day once, by each way, catching up, and holding nothing up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.core.settings import Settings
from app.integrations.seal_webhook import WebhookRefused
from app.jobs import publication, seals
from app.models.people import Role
from app.queries.ledger import sealing as queries
from app.queries.ledger.sealing import Sealed
from app.runtime import Runtime
from app.services.ledger import publication as service
from tests.concurrency.meeting import until_somebody_waits_for
from tests.engines import as_owner
from tests.factories.clock import A_DAY, TODAY, noon
from tests.factories.http import in_process
from tests.factories.inbox import inbox
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import make_person, make_with_role

pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


async def chain(runtime: Runtime) -> list[Sealed]:
    async with runtime.database.read() as tx:
        return await queries.chain(tx)


async def seal(runtime: Runtime, days: int) -> list[Sealed]:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1, at=noon(days))
    assert await seals.seal(runtime) == days
    return await chain(runtime)


async def forget(runtime: Runtime, days: int) -> None:
    """Take the newest seals away, which the next run of the job makes anew."""
    day = TODAY - days * A_DAY
    await as_owner(
        runtime.settings,
        f"DELETE FROM ledger_seals WHERE day >= '{day}'",  # noqa: S608 - our own words
        f"DELETE FROM ledger_seal_nodes WHERE day >= '{day}'",  # noqa: S608
        f"DELETE FROM ledger_sealed_facts WHERE seal_day >= '{day}'",  # noqa: S608
    )


def with_settings(runtime: Runtime, **values: Any) -> Runtime:
    settings = Settings.model_validate(runtime.settings.model_dump() | values)
    return replace(runtime, settings=settings)


def lines(found: list[Sealed]) -> str:
    return "".join(f"{one.day} {one.seal.hex()}\n" for one in found)


async def test_a_file_begins_with_the_newest_seal_and_catches_up(
    runtime: Runtime, tmp_path: Path
) -> None:
    file = tmp_path / "published" / "seals.txt"
    writing = with_settings(runtime, seals_file=file)
    found = await seal(runtime, 4)
    await forget(runtime, 3)

    assert await publication.to_file(writing) == 1
    assert file.read_text() == lines(found[:1])

    await seals.seal(runtime)
    found = await chain(runtime)
    file.write_text(lines(found[:1]) + lines(found[1:2])[:30])  # killed in the middle of a line
    done = await asyncio.gather(*(publication.to_file(writing) for _ in range(3)))
    assert sum(done) == 3
    assert file.read_text() == lines(found)
    assert service.read(file.read_text()) == {one.day: one.seal for one in found}


async def test_a_seal_that_was_published_and_is_another_now_is_told(
    runtime: Runtime, tmp_path: Path
) -> None:
    file = tmp_path / "seals.txt"
    writing = with_settings(runtime, seals_file=file)
    found = await seal(runtime, 2)
    forged = replace(found[-1], seal=bytes(32))
    file.write_text(lines([*found[:-1], forged]))

    with pytest.raises(service.PublishedDiffers, match=str(found[-1].day)):
        await publication.to_file(writing)

    file.write_text(lines(found))
    await forget(runtime, 1)
    with pytest.raises(service.PublishedDiffers, match=str(found[-1].day)):
        await publication.to_file(writing)
    assert await seals.seal(runtime) == 1  # sealing goes on


def test_production_publishes_without_being_told_to(runtime: Runtime, tmp_path: Path) -> None:
    production = runtime.settings.model_copy(update={"env": "production", "data_dir": tmp_path})
    assert production.published_seals == tmp_path / "seals.txt"
    assert runtime.settings.published_seals is None


@asynccontextmanager
async def listener(status: str, heard: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Serve HTTP: answer each request with a status, and keep its body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        heard.append(json.loads(await reader.readexactly(length)))
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/seals?token=secret"


async def test_a_webhook_gets_each_day_once_and_again_what_it_did_not_take(
    runtime: Runtime, alone: FastAPI
) -> None:
    found = await seal(runtime, 3)
    await forget(runtime, 2)
    heard: list[dict[str, Any]] = []
    async with listener("500 no", heard) as url:
        with pytest.raises(WebhookRefused, match="500") as refused:
            await publication.to_webhook(with_settings(runtime, seal_webhook_url=url))
    assert "secret" not in str(refused.value)
    assert len(heard) == 1

    heard.clear()
    async with listener("204 yes", heard) as url:
        posting = with_settings(runtime, seal_webhook_url=url)
        assert await publication.to_webhook(posting) == 1
        await seals.seal(runtime)
        both = await asyncio.gather(*(publication.to_webhook(posting) for _ in range(2)))
        assert sum(both) == 2
    found = await chain(runtime)
    assert [one["seal"] for one in heard] == [one.seal.hex() for one in found]
    async with in_process(alone) as api:
        published = (await api.get("/api/v1/ledger/seals")).json()["items"]
    assert heard == published[::-1]


async def test_auditors_are_notified_of_each_day_once(runtime: Runtime, alone: FastAPI) -> None:
    org = await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    other = await make_person(runtime)
    found = await seal(runtime, 2)
    await forget(runtime, 1)

    assert await publication.to_auditors(runtime) == 1
    await seals.seal(runtime)
    async with runtime.database.transaction() as tx:
        await service.next_one(tx, service.NOTICES)
        second = asyncio.create_task(publication.to_auditors(runtime))
        await until_somebody_waits_for(runtime, tx)
        assert await service.notify_auditors(tx) == 1
    assert await second == 0

    found = await chain(runtime)
    async with in_process(alone) as api:
        notices = await inbox(api, runtime, auditor)
        assert {one["kind"] for one in notices} == {"seal_published"}
        texts = [one["text"] for one in notices]
        assert len(texts) == 2
        assert all(one.seal.hex() in text for one, text in zip(found[::-1], texts, strict=True))
        assert not await inbox(api, runtime, other)
