"""The bytes of attachments go with their rows, and those without a row after a day."""

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from app.core.clock import now
from app.core.ids import new_id
from app.integrations.storage import FileStore
from app.jobs import attachments
from app.runtime import Runtime
from app.services.attachments import reading
from tests.factories.activities import make_activity
from tests.factories.attachments import attach
from tests.factories.people import make_organizer

OLD = attachments.WITHOUT_ROW + timedelta(minutes=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def own(runtime: Runtime, root: Path) -> Runtime:
    """A runtime with a store of its own: that of all tests holds files of other databases."""
    return replace(runtime, store=FileStore(root))


def age(root: Path, moment: datetime) -> None:
    for file in root.rglob("*/*"):
        os.utime(file, (moment.timestamp(), moment.timestamp()))


async def put(runtime: Runtime, attachment_id: UUID) -> None:
    for key in reading.keys_of(attachment_id):
        await runtime.store.put(key, b"bytes", "image/jpeg")


def kept(root: Path) -> set[str]:
    return {file.name for file in root.rglob("*/*")}


async def test_bytes_without_a_row_are_removed_after_a_day(
    api: httpx.AsyncClient, own: Runtime, root: Path
) -> None:
    activity = await make_activity(own)
    organizer = await make_organizer(own, activity.org_id)
    made = await attach(api, organizer, ("activity", activity.id))
    attached, failed, under_way = UUID(made["id"]), new_id(), new_id()
    for one in (attached, failed):
        await put(own, one)
    age(root, now() - OLD)
    await put(own, under_way)

    removed = await attachments.sweep(own)

    assert removed == 2
    assert kept(root) == {*reading.keys_of(attached), *reading.keys_of(under_way)}
    assert await attachments.sweep(own) == 0
