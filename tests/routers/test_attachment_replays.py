"""Uploads that a phone repeats, and those whose row is refused after the bytes were stored."""

import asyncio
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from app.core.clock import now
from app.integrations.storage import StoreUnavailable
from app.runtime import Runtime
from app.services.attachments import content, reading, storing, subjects
from tests.factories.activities import make_activity
from tests.factories.attachments import ATTACHMENTS, attach, make_pdf, make_picture, upload
from tests.factories.awards import approve, propose
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person


async def stored(runtime: Runtime) -> set[str]:
    """Return the keys of all objects in the store."""
    soon = now() + timedelta(hours=1)
    return {key async for keys in runtime.store.older_than(soon) for key in keys}


def store_together(monkeypatch: pytest.MonkeyPatch, uploads: int) -> None:
    """Let uploads go on only when so many of them have stored their bytes."""
    put, all_stored = storing.put, asyncio.Barrier(uploads)

    async def together(*args: object, **options: object) -> object:
        done = await put(*args, **options)  # type: ignore[arg-type]
        await all_stored.wait()
        return done

    monkeypatch.setattr(storing, "put", together)


def assert_replayed(first: httpx.Response, again: httpx.Response) -> None:
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_repeat_gets_the_first_reply_though_the_subject_is_full(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    organizer = await make_organizer(runtime, activity.org_id)
    first = await upload(api, organizer, subject, key="lost")
    for _ in range(subjects.registry()["activity"].most - 1):
        await attach(api, organizer, subject)
    before = await stored(runtime)
    monkeypatch.setattr(content, "prepare", lambda _: pytest.fail("it is decoded again"))

    again = await upload(api, organizer, subject, key="lost")

    assert first.status_code == 201
    assert_replayed(first, again)
    assert await stored(runtime) == before
    other = await upload(api, organizer, subject, make_picture("PNG"), key="lost")
    assert_refused(other, 422, "idempotency.key_reused")


async def test_a_repeat_gets_the_first_reply_though_the_award_was_reviewed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]
    subject = ("award", award["id"])
    large = make_pdf(100_000)  # whose right is checked before it is read
    first = await upload(api, person, subject, key="lost")
    second = await upload(api, person, subject, large, key="lost-too")
    assert (await approve(api, reviewer, award)).status_code == 200

    assert_replayed(first, await upload(api, person, subject, key="lost"))
    assert_replayed(second, await upload(api, person, subject, large, key="lost-too"))
    assert_refused(await upload(api, person, subject), 409, "attachments.closed")


async def test_a_refused_file_is_refused_again_without_a_look(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    organizer = await make_organizer(runtime, activity.org_id)
    first = await upload(api, organizer, subject, b"no picture", key="lost")
    monkeypatch.setattr(content, "prepare", lambda _: pytest.fail("it is decoded again"))

    again = await upload(api, organizer, subject, b"no picture", key="lost")

    assert_refused(first, 415, "attachments.type_not_allowed")
    assert_replayed(first, again)


async def test_a_store_that_is_away_leaves_the_key_free(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    organizer = await make_organizer(runtime, activity.org_id)

    async def away(*_: object) -> None:
        raise StoreUnavailable(retry_after=1)

    with monkeypatch.context() as patched:
        patched.setattr(runtime.store, "put", away)
        refused = await upload(api, organizer, subject, key="lost")
    made = await upload(api, organizer, subject, key="lost")

    assert_refused(refused, 503, "attachments.store_unavailable")
    assert made.status_code == 201


async def test_bytes_whose_row_is_refused_are_removed(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    organizer = await make_organizer(runtime, activity.org_id)
    before = await stored(runtime)
    store_together(monkeypatch, 12)  # all have found room before the first row is written

    rush = await asyncio.gather(*[upload(api, organizer, subject) for _ in range(12)])

    made = [UUID(one.json()["id"]) for one in rush if one.status_code == 201]
    assert sorted(one.status_code for one in rush) == [201] * 9 + [409] * 3
    assert await stored(runtime) - before == {key for one in made for key in reading.keys_of(one)}


async def test_two_requests_of_one_key_at_once_leave_the_bytes_of_one(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    organizer = await make_organizer(runtime, activity.org_id)
    before = await stored(runtime)
    store_together(monkeypatch, 2)  # neither has claimed the key

    one, two = await asyncio.gather(*[upload(api, organizer, subject, key="lost") for _ in "12"])

    assert (one.status_code, one.content) == (201, two.content)
    left = await stored(runtime) - before
    assert left == set(reading.keys_of(UUID(one.json()["id"])))


async def test_an_upload_stands_though_its_leftovers_cannot_be_looked_for(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = await make_activity(runtime)
    organizer = await make_organizer(runtime, activity.org_id)

    async def away(*_: object) -> None:
        raise StoreUnavailable(retry_after=1)

    monkeypatch.setattr(runtime.store, "remove", away)
    made = await attach(api, organizer, ("activity", activity.id))
    assert (await api.get(f"{ATTACHMENTS}/{made['id']}")).status_code == 200


@pytest.mark.parametrize("charset", ["utf-7", "UTF-7", "idna", "punycode", "undefined", "latin-1"])
@pytest.mark.parametrize("path", [ATTACHMENTS, "/api/v1/awards/batches/sheet"])
async def test_a_form_is_utf_8(
    api: httpx.AsyncClient, runtime: Runtime, path: str, charset: str
) -> None:
    """In UTF-7 ``+2AA-`` is half of a surrogate pair, which no digest can be made of."""
    organizer = await make_organizer(runtime, (await make_org(runtime)).id)
    reply = await send_form(api, organizer, path, f"; charset={charset}")
    assert_refused(reply, 400, "request.malformed")


@pytest.mark.parametrize("charset", ["", "; charset=UTF-8", '; charset="utf-8"'])
async def test_a_form_may_say_that_it_is_utf_8(
    api: httpx.AsyncClient, runtime: Runtime, charset: str
) -> None:
    organizer = await make_organizer(runtime, (await make_org(runtime)).id)
    reply = await send_form(api, organizer, ATTACHMENTS, charset)
    assert_refused(reply, 422, "request.invalid")


async def send_form(
    api: httpx.AsyncClient, person: TestPerson, path: str, charset: str
) -> httpx.Response:
    part = b'--x\r\nContent-Disposition: form-data; name="subject_type"\r\n\r\n+2AA-\r\n--x--\r\n'
    headers = keyed(person) | {"Content-Type": f"multipart/form-data; boundary=x{charset}"}
    return await api.post(path, headers=headers, content=part)
