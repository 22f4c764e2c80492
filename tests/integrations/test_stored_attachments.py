"""Uploads through the API to an S3-compatible store, and to one that does not answer."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import httpx
import pytest
from fastapi import FastAPI

from app.integrations.storage import NoStore
from app.jobs.outbox import relay
from app.models.activities import Activity
from app.runtime import Runtime
from app.services.attachments import reading
from tests.conftest import ScratchFactory
from tests.factories.activities import make_activity
from tests.factories.attachments import ATTACHMENTS, attach, make_picture, upload
from tests.factories.http import assert_refused, keyed
from tests.factories.people import TestPerson, make_organizer
from tests.integrations.s3_server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Bucket, s3_server


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with s3_server() as made:
        yield made


@dataclass(frozen=True)
class Stage:
    app: FastAPI
    api: httpx.AsyncClient
    activity: Activity
    organizer: TestPerson

    @property
    def runtime(self) -> Runtime:
        found: Runtime = self.app.state.runtime
        return found

    @property
    def subject(self) -> tuple[str, str]:
        return ("activity", str(self.activity.id))

    async def listed(self) -> list[str]:
        query = {"subject_type": self.subject[0], "subject_id": self.subject[1]}
        page = await self.api.get(ATTACHMENTS, params=query)
        return [one["id"] for one in page.json()["items"]]


@pytest.fixture
async def stage(scratch: ScratchFactory, bucket: Bucket) -> AsyncIterator[Stage]:
    settings = {
        "s3_endpoint": bucket.url,
        "s3_bucket": BUCKET,
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "s3_region": REGION,
    }
    async with scratch(**settings) as app:
        runtime: Runtime = app.state.runtime
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            activity = await make_activity(runtime)
            yield Stage(app, api, activity, await make_organizer(runtime, activity.org_id))


async def test_a_picture_lives_in_the_bucket_until_it_is_deleted(
    stage: Stage, bucket: Bucket
) -> None:
    made = await attach(stage.api, stage.organizer, stage.subject, make_picture("PNG"))
    file = await stage.api.get(made["url"])

    key, thumbnail_key = reading.keys_of(made["id"])
    types = {name: stored[1] for name, stored in bucket.objects.items()}
    assert types == {key: "image/png", thumbnail_key: "image/png"}
    assert file.content == bucket.objects[key][0]
    gone = await stage.api.delete(f"{ATTACHMENTS}/{made['id']}", headers=keyed(stage.organizer))
    assert gone.status_code == 204
    await relay(stage.runtime)
    assert bucket.objects == {}


async def test_what_the_store_does_not_take_is_not_attached(stage: Stage, bucket: Bucket) -> None:
    made = await attach(stage.api, stage.organizer, stage.subject)
    bucket.failing = True

    refused = await upload(stage.api, stage.organizer, stage.subject, key="again")
    unread = await stage.api.get(made["url"])

    for response in (refused, unread):
        assert_refused(response, 503, "attachments.store_unavailable")
        assert response.headers["retry-after"] == "5"
    assert await stage.listed() == [made["id"]]
    bucket.failing = False
    again = await upload(stage.api, stage.organizer, stage.subject, key="again")
    assert again.status_code == 201


async def test_bytes_that_are_lost_are_not_found(stage: Stage, bucket: Bucket) -> None:
    made = await attach(stage.api, stage.organizer, stage.subject)
    bucket.objects.clear()
    assert_refused(await stage.api.get(made["url"]), 404, "attachments.not_found")


async def test_production_without_a_store_refuses_uploads(stage: Stage) -> None:
    stage.app.state.runtime = replace(stage.runtime, store=NoStore())
    refused = await upload(stage.api, stage.organizer, stage.subject)
    assert_refused(refused, 503, "attachments.store_unavailable")
    assert await stage.listed() == []
