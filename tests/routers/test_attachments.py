"""Attachments: whoever may read their subject reads them, and nobody reads more than a picture."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.integrations.storage import ObjectMissing
from app.jobs.outbox import relay
from app.models.activities import ActivityStatus
from app.routers.attachments import MAX_UPLOAD_BYTES, UPLOADS
from app.runtime import Runtime
from app.services.attachments import reading, subjects
from app.services.attachments.content import MAX_BYTES
from tests.conftest import ScratchFactory
from tests.factories.activities import make_activity
from tests.factories.attachments import ATTACHMENTS, PDF, attach, make_pdf, make_picture, upload
from tests.factories.awards import TWO_REVIEWERS, approve, give_award, propose
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.factories.rewards import make_counter, make_reward
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation               rule    nobody alice bob  counter rival sibling parent auditor admin outsider
uploadAttachment        person  401    201+  404  404     404   404     201+   403     201+  404       404=attachments.subject_not_found
listAttachments         anyone  404    200+  404  404     404   404     200+   200+    200+  404       404=attachments.subject_not_found
getAttachment           anyone  404    200+  404  404     404   404     200+   200+    200+  404       404=attachments.not_found
getAttachmentFile       anyone  404    200   404  404     404   404     200    200     200   404       404=attachments.not_found
getAttachmentThumbnail  anyone  404    200   404  404     404   404     200    200     200   404       404=attachments.not_found
deleteAttachment        person  401    204   404  404     404   404     204+   403     204+  404       404=attachments.not_found
"""  # noqa: E501 - a table
HERS = {
    "attachments": "created_by = :alice"
    " OR subject_id IN (SELECT id FROM awards WHERE person_id = :alice)"
}
BEYOND_THE_SCHEMA = {
    "attachments.subject_not_found",
    "attachments.type_not_allowed",
    "attachments.picture_unreadable",
    "attachments.too_many",
}


async def _award(world: World) -> str:
    organizer = await make_organizer(world.runtime, world.home.id)
    return str((await propose(world.api, organizer, world.home, world.alice))[0]["id"])


async def _upload(world: World) -> Ask:
    fields = {"subject_type": (None, "award"), "subject_id": (None, await _award(world))}
    return Ask(files=fields | {"file": ("photo.jpg", make_picture(), "image/jpeg")})


async def _list(world: World) -> Ask:
    award = await _award(world)
    await attach(world.api, world.alice, ("award", award))
    return Ask(query={"subject_type": "award", "subject_id": award})


async def _one(world: World) -> Ask:
    made = await attach(world.api, world.alice, ("award", await _award(world)))
    return Ask({"attachment_id": made["id"]})


REQUESTS = {
    "uploadAttachment": _upload,
    "listAttachments": _list,
    "getAttachment": _one,
    "getAttachmentFile": _one,
    "getAttachmentThumbnail": _one,
    "deleteAttachment": _one,
}


async def known(setup: Setup) -> Known:
    """Awards of the caller that wait, with evidence."""
    awards = await propose(setup.api, setup.organizer, setup.org, *setup.others[:1], setup.caller)
    subject = ("award", awards[1]["id"])
    made = [await attach(setup.api, setup.caller, subject) for _ in range(FEW)]
    return {"attachment_id": [one["id"] for one in made], "subject_id": [awards[1]["id"]]}


async def completion(_: Setup) -> Completion:
    """Upload a picture, as evidence of an award."""
    picture = make_picture()

    def complete(body: dict[str, Any], known: Known) -> None:
        if isinstance(file := body.get("file"), str) and len(file) <= 3:
            body["file"] = picture
        is_valid = body.get("subject_type") in subjects.registry()
        if is_valid and body.get("subject_id") in known["subject_id"]:
            body["subject_type"] = "award"

    return complete


async def read(
    api: httpx.AsyncClient, path: str, person: TestPerson | None = None, tag: str = ""
) -> httpx.Response:
    headers = person.headers if person else {}
    return await api.get(path, headers=headers | ({"If-None-Match": tag} if tag else {}))


async def listed(
    api: httpx.AsyncClient, subject: tuple[str, UUID | str], person: TestPerson | None = None
) -> httpx.Response:
    query = {"subject_type": subject[0], "subject_id": str(subject[1])}
    return await api.get(ATTACHMENTS, params=query, headers=person.headers if person else {})


async def seen_by(
    api: httpx.AsyncClient, made: dict[str, Any], person: TestPerson | None
) -> set[int]:
    """Return the statuses of the ways to look at an attachment."""
    paths = [f"{ATTACHMENTS}/{made['id']}", made["url"], made["thumbnail_url"]]
    return {(await read(api, path, person)).status_code for path in paths}


async def test_a_cover_is_uploaded_and_anybody_sees_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    organizer = await make_organizer(runtime, activity.org_id)

    made = await attach(api, organizer, ("activity", activity.id), make_picture(size=(1200, 900)))

    path = f"{ATTACHMENTS}/{made['id']}"
    assert made == {
        "id": made["id"],
        "subject": {"type": "activity", "id": str(activity.id)},
        "kind": "picture",
        "content_type": "image/jpeg",
        "bytes": made["bytes"],
        "width": 1200,
        "height": 900,
        "state": "ready",
        "url": f"{path}/file",
        "thumbnail_url": f"{path}/thumbnail",
        "created_at": made["created_at"],
    }
    assert (await read(api, path)).json() == made
    assert (await listed(api, ("activity", activity.id))).json()["items"] == [made]
    file = await read(api, made["url"])
    assert (file.status_code, len(file.content)) == (200, made["bytes"])
    assert file.headers["content-type"] == "image/jpeg"
    assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-disposition"] == f'inline; filename="{made["id"]}.jpg"'
    assert "sandbox" in file.headers["content-security-policy"]


async def test_who_has_the_file_gets_no_second_copy(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    organizer = await make_organizer(runtime, activity.org_id)
    made = await attach(api, organizer, ("activity", activity.id))
    tags = [(await read(api, made[name])).headers["etag"] for name in ("url", "thumbnail_url")]

    again = [await read(api, made["url"], tag=tag) for tag in (*tags, "*")]

    assert [one.status_code for one in again] == [304, 200, 304]
    listed = [await read(api, made["url"], tag=f"{tag}, W/{tags[0]}") for tag in ('"x"', tags[1])]
    assert [one.status_code for one in listed] == [304, 304]
    assert again[0].content == b""
    assert again[0].headers["etag"] == tags[0]


async def test_a_pdf_is_offered_for_download_and_has_no_thumbnail(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    organizer = await make_organizer(runtime, activity.org_id)

    made = await attach(api, organizer, ("activity", activity.id), PDF)

    assert (made["kind"], made["width"], made["thumbnail_url"]) == ("document", None, None)
    file = await read(api, made["url"])
    assert file.content == PDF
    assert file.headers["content-type"] == "application/pdf"
    assert file.headers["content-disposition"].startswith("attachment; ")
    none = await read(api, f"{ATTACHMENTS}/{made['id']}/thumbnail")
    assert_refused(none, 404, "attachments.not_found")


async def test_a_strangers_draft_does_not_exist(api: httpx.AsyncClient, runtime: Runtime) -> None:
    draft = await make_activity(runtime, status=ActivityStatus.draft)
    subject = ("activity", draft.id)
    organizer, stranger = await make_organizer(runtime, draft.org_id), await make_person(runtime)
    made = await attach(api, organizer, subject)

    for person in (None, stranger):
        assert await seen_by(api, made, person) == {404}
        assert_refused(await listed(api, subject, person), 404, "attachments.subject_not_found")
    refused = await upload(api, stranger, subject)
    assert_refused(refused, 404, "attachments.subject_not_found")
    private = await read(api, made["url"], organizer)
    assert private.headers["cache-control"] == "private, max-age=31536000, immutable"
    published = await api.post(f"/api/v1/activities/{draft.id}/publish", headers=keyed(organizer))
    assert published.status_code == 200, published.text
    assert await seen_by(api, made, None) == {200}


async def test_nobody_attaches_to_what_does_not_exist(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    nouns = ("activity", "reward", "merchant", "shop", "award", "fund_receipt", "person")
    for noun in nouns:
        refused = await upload(api, person, (noun, uuid4()))
        assert_refused(refused, 404, "attachments.subject_not_found")
    for noun in ("people", "", "Activity"):
        refused = await upload(api, person, (noun, uuid4()))
        assert_refused(refused, 422, "request.invalid")
        assert refused.json()["errors"][0]["field"] == "body.subject_type"


async def test_what_belongs_to_a_noun_of_another_version_is_not_found(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = await make_activity(runtime)
    organizer = await make_organizer(runtime, activity.org_id)
    made = await attach(api, organizer, ("activity", activity.id))
    others = {noun: one for noun, one in subjects.registry().items() if noun != "activity"}
    monkeypatch.setattr(subjects, "registry", lambda: others)

    for person in (None, organizer):
        assert await seen_by(api, made, person) == {404}
    assert_refused(await delete(api, organizer, made), 404, "attachments.not_found")


async def test_only_its_organizers_attach_to_an_activity(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    other = await make_organizer(runtime, (await make_org(runtime)).id)
    for person in (await make_person(runtime), other):
        assert_refused(await upload(api, person, subject), 403, "auth.forbidden")
    assert (await listed(api, subject)).json()["items"] == []


async def test_staff_attach_to_their_merchant_and_its_rewards(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, rival = await make_counter(runtime), await make_counter(runtime)
    reward = await make_reward(runtime, counter)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    subjects: list[tuple[str, UUID]] = [("merchant", counter.merchant.id), ("reward", reward.id)]
    for subject in subjects:
        assert_refused(await upload(api, rival.staff, subject), 403, "auth.forbidden")
        made = [await attach(api, person, subject) for person in (counter.staff, organizer)]
        shown = (await listed(api, subject)).json()["items"]
        assert shown == made[::-1]


async def receive(api: httpx.AsyncClient, administrator: TestPerson, org: UUID) -> dict[str, Any]:
    body = {"kind": "donation", "points": 5, "giver": "爱心企业"}
    path = f"/api/v1/orgs/{org}/fund/receipts"
    made = await api.post(path, headers=keyed(administrator), json=body)
    assert made.status_code == 201, made.text
    receipt: dict[str, Any] = made.json()
    return receipt


async def test_the_paper_of_a_receipt_is_not_public(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    organizer = await make_organizer(runtime, org.id)
    receipt = await receive(api, administrator, org.id)
    made = await attach(api, administrator, ("fund_receipt", receipt["id"]))

    assert await seen_by(api, made, organizer) == {200}
    assert await seen_by(api, made, None) == {404}
    assert await seen_by(api, made, await make_person(runtime)) == {404}
    refused = await upload(api, organizer, ("fund_receipt", receipt["id"]))
    assert_refused(refused, 403, "auth.forbidden")


async def test_evidence_stays_as_its_reviewers_saw_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]
    subject = ("award", award["id"])
    own, other = [await attach(api, one, subject) for one in (person, organizer)]
    assert_refused(await delete(api, person, other), 403, "auth.forbidden")

    approved = await approve(api, reviewer, award)

    assert approved.status_code == 200, approved.text
    for caller in (person, organizer):
        assert_refused(await upload(api, caller, subject), 409, "attachments.closed")
        assert_refused(await delete(api, caller, own), 409, "attachments.closed")
    assert (await listed(api, subject, person)).json()["items"] == [other, own]
    assert await seen_by(api, own, await make_person(runtime)) == {404}


async def test_evidence_is_not_swapped_between_two_reviews(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, *reviewers = [await make_organizer(runtime, org.id) for _ in range(3)]
    award = (await propose(api, organizer, org, person, **TWO_REVIEWERS))[0]
    subject = ("award", award["id"])
    own = await attach(api, person, subject)

    assert (await approve(api, reviewers[0], award)).json()["state"] == "pending"

    for caller in (person, organizer):
        assert_refused(await upload(api, caller, subject), 409, "attachments.closed")
        assert_refused(await delete(api, caller, own), 409, "attachments.closed")
    assert (await listed(api, subject, reviewers[1])).json()["items"] == [own]


async def test_nobody_manages_the_evidence_of_an_award_of_their_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, awarded = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, awarded))[0]
    made = await attach(api, organizer, ("award", award["id"]))
    assert_refused(await delete(api, awarded, made), 403, "auth.forbidden")
    paid = await give_award(runtime, awarded, org)
    assert_refused(await upload(api, awarded, ("award", paid)), 409, "attachments.closed")


async def delete(
    api: httpx.AsyncClient, person: TestPerson, made: dict[str, Any], key: str | None = None
) -> httpx.Response:
    return await api.delete(f"{ATTACHMENTS}/{made['id']}", headers=keyed(person, key))


async def test_what_is_deleted_leaves_the_store_too(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    first, second = [await make_organizer(runtime, activity.org_id) for _ in range(2)]
    made, kept = [await attach(api, first, ("activity", activity.id)) for _ in range(2)]
    keys = reading.keys_of(UUID(made["id"]))

    gone = await delete(api, second, made, "lost-reply")
    again = await delete(api, second, made, "lost-reply")
    await relay(runtime)

    assert (gone.status_code, again.status_code) == (204, 204)
    assert again.headers["idempotency-replayed"] == "true"
    assert await seen_by(api, made, first) == {404}
    assert_refused(await delete(api, second, made), 404, "attachments.not_found")
    assert await seen_by(api, kept, None) == {200}
    for key in keys:
        with pytest.raises(ObjectMissing):
            await runtime.store.get(key)


async def test_uploads_and_deletions_stand_in_the_audit_trail(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    administrator = await make_administrator(runtime, activity.org_id)
    made = await attach(api, administrator, ("activity", activity.id))
    await delete(api, administrator, made)

    query = {"org_id": str(activity.org_id), "subject_id": made["id"]}
    entries = await api.get("/api/v1/audit", headers=administrator.headers, params=query)

    told = [(one["verb"], one["actor"]["id"], one["facts"]) for one in entries.json()["items"]]
    actor, facts = str(administrator.id), {"about": f"activity:{activity.id}"}
    assert told == [("deleted", actor, facts), ("created", actor, facts)]


async def test_the_same_upload_is_made_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    organizer = await make_organizer(runtime, activity.org_id)

    first, again = [await upload(api, organizer, subject, key="lost") for _ in range(2)]
    other = await upload(api, organizer, subject, make_picture("PNG"), key="lost")

    assert (first.status_code, first.content) == (201, again.content)
    assert_refused(other, 422, "idempotency.key_reused")
    assert (await listed(api, subject)).json()["items"] == [first.json()]


async def test_a_subject_has_nine_at_most(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    organizer = await make_organizer(runtime, activity.org_id)
    made = [await attach(api, organizer, subject) for _ in range(7)]

    rush = await asyncio.gather(*[upload(api, organizer, subject) for _ in range(5)])

    assert sorted(one.status_code for one in rush) == [201, 201, 409, 409, 409]
    refused = await upload(api, organizer, subject)
    assert_refused(refused, 409, "attachments.too_many")
    assert refused.json()["facts"] == {"limit": 9, "used": 9}
    assert (await delete(api, organizer, made[3])).status_code == 204
    assert (await upload(api, organizer, subject)).status_code == 201
    assert len((await listed(api, subject)).json()["items"]) == 9


async def test_uploads_have_a_limit_of_their_own(scratch: ScratchFactory) -> None:
    async with scratch(rate_limits="on") as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            hasty = await make_person(app.state.runtime)
            subject = ("activity", uuid4())
            tries = range(2 * UPLOADS.burst)
            replies = await asyncio.gather(*(upload(api, hasty, subject) for _ in tries))
            other = await api.get("/api/v1/me", headers=hasty.headers)

    refused = next(one for one in replies if one.status_code == 429)
    assert_refused(refused, 429, "request.rate_limited")
    assert refused.json()["facts"]["limit"] == UPLOADS.burst
    assert other.status_code == 200


async def test_what_the_file_is_called_and_said_to_be_counts_for_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    subject = ("activity", activity.id)
    organizer = await make_organizer(runtime, activity.org_id)
    names = ("../../../etc/passwd", "..\\x.exe", 'a"; filename="b.html', "\u202egpj.exe", "x" * 300)
    for name in names:
        sent = await upload(
            api, organizer, subject, make_picture("PNG"), name=name, content_type="text/html"
        )
        made = sent.json()
        assert (sent.status_code, made["content_type"]) == (201, "image/png"), sent.text
        file = await read(api, made["url"])
        assert file.headers["content-type"] == "image/png"
        assert file.headers["content-disposition"] == f'inline; filename="{made["id"]}.png"'
    script = b"<script>alert(1)</script>"
    for lie in ("image/png", "application/pdf", "image/svg+xml"):
        refused = await upload(api, organizer, subject, script, name="a.png", content_type=lie)
        assert_refused(refused, 415, "attachments.type_not_allowed")
    broken = await upload(api, organizer, subject, make_picture()[:200])
    assert_refused(broken, 422, "attachments.picture_unreadable")
    assert len((await listed(api, subject)).json()["items"]) == len(names)


async def test_a_file_of_five_megabytes_and_no_more(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    organizer = await make_organizer(runtime, activity.org_id)
    sizes = (MAX_BYTES, MAX_BYTES + 1, MAX_UPLOAD_BYTES + 1)

    replies = [
        await upload(api, organizer, ("activity", activity.id), make_pdf(size)) for size in sizes
    ]

    assert replies[0].status_code == 201
    assert replies[0].json()["bytes"] == MAX_BYTES
    assert_refused(replies[1], 413, "attachments.too_large")
    assert replies[1].json()["facts"] == {"limit": MAX_BYTES, "measure": "bytes"}
    assert_refused(replies[2], 413, "request.too_large")


@pytest.mark.parametrize("left_out", ["file", "subject_type", "subject_id"])
async def test_an_upload_is_whole(api: httpx.AsyncClient, runtime: Runtime, left_out: str) -> None:
    person = await make_person(runtime)
    form: dict[str, Any] = {
        "subject_type": (None, "activity"),
        "subject_id": (None, str(uuid4())),
        "file": ("a.jpg", make_picture(), "image/jpeg"),
    }
    del form[left_out]
    refused = await api.post(ATTACHMENTS, headers=keyed(person), files=form)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == [f"body.{left_out}"]
