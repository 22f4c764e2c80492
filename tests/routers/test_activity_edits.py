"""Edits of activities: by one at a time, told to those whom they concern, never against awards."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.models.activities import ActivityStatus
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.activities import edit_body, sign_up
from tests.factories.attachments import attach
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.organizing import ACTIVITIES, API, Desk
from tests.factories.people import make_administrator, make_people, make_person
from tests.routers.test_audit import entries


@pytest.fixture
def desk(api: httpx.AsyncClient, runtime: Runtime) -> Desk:
    return Desk(api, runtime)


def begun(**changes: Any) -> dict[str, Any]:
    return {"starts_at": now() - timedelta(minutes=1)} | changes


async def test_an_edit_shows_at_once_and_is_on_record(desk: Desk) -> None:
    await desk.open(description="带水", capacity=30)
    path = f"{ACTIVITIES}/{desk.activity.id}"
    before = await desk.api.get(path)
    listed: dict[str, Any] = {"org_id": str(desk.activity.org_id), "q": "夏至"}
    assert await walk(desk.api, ACTIVITIES, **listed) == []
    place = {"name": "江边", "latitude": 32.2, "longitude": 119.8, "radius_m": 50}

    edited = await desk.edit(title="夏至植树", description="", location=place)

    known = {"If-None-Match": before.headers["etag"]}
    after = await desk.api.get(path, headers=known)
    assert (edited.status_code, after.status_code) == (200, 200)
    assert after.json().items() >= edited.json().items()
    changed = {"title": "夏至植树", "description": "", "location": place, "version": 2}
    assert (before.json() | changed).items() >= edited.json().items()
    assert [one["id"] for one in await walk(desk.api, ACTIVITIES, **listed)] == [after.json()["id"]]
    admin = await make_administrator(desk.runtime, desk.org.id)
    told = await entries(desk.api, admin, desk.org, subject_type="activity")
    [entry] = [one for one in told if one["verb"] == "edited"]
    assert entry["actor"]["id"] == str(desk.organizer.id)
    assert set(entry["fields"]) == {
        *("title", "description", "location_name", "latitude", "longitude", "radius_m"),
    }


async def test_of_two_editors_the_second_is_refused_and_the_etag_is_a_version_too(
    desk: Desk,
) -> None:
    await desk.open()
    path = f"{ACTIVITIES}/{desk.activity.id}"
    etag = (await desk.api.get(path)).headers["etag"].strip('"')
    await sign_up(desk.runtime, desk.activity, await make_person(desk.runtime))

    first = await desk.edit(version=etag, title="夏至植树")
    second = await desk.edit(version=etag, title="冬至植树")

    assert first.status_code == 200, "a sign-up is no edit"
    assert_refused(second, 412, "request.precondition_failed")
    assert (await desk.read())["title"] == "夏至植树"
    again = await desk.edit(version=2, title="夏至植树")
    assert (again.status_code, again.json()["version"]) == (200, 2), "nothing has changed"


async def test_if_match_names_one_version(desk: Desk) -> None:
    await desk.open()
    path, body = f"{ACTIVITIES}/{desk.activity.id}", edit_body(desk.activity)

    async def sent(**headers: str) -> httpx.Response:
        return await desk.api.put(path, headers=desk.organizer.headers | headers, json=body)

    assert_refused(await sent(), 428, "request.precondition_required")
    for wrong in ("*", '"1", "2"', '"x"', "", '"-1"'):
        assert_refused(await sent(**{"If-Match": wrong}), 422, "request.invalid")
    for right in ("1", '"1"', 'W/"1"', '"1-0abc"'):
        assert (await sent(**{"If-Match": right})).status_code == 200


async def test_who_signed_up_hears_of_another_time_or_place_only(desk: Desk) -> None:
    await desk.open(capacity=1)
    holder, waiting, left = await make_people(desk.runtime, 3)
    await sign_up(desk.runtime, desk.activity, holder, waiting, left)
    [signup] = await walk(desk.api, f"{API}/me/signups", left.headers)
    await desk.api.delete(f"{API}/signups/{signup['id']}", headers=left.headers)

    await desk.edit(title="夏至植树", description="带水")
    assert await inbox(desk.api, desk.runtime, holder) == []
    place = {"name": "江边", "latitude": 32.2, "longitude": 119.8}
    await desk.edit(version=2, location=place)

    for person in (holder, waiting):
        [notice] = await inbox(desk.api, desk.runtime, person, "en")
        assert notice["kind"] == "activity_changed"
        assert "Time as before" in notice["text"]
        assert "new place: 江边" in notice["text"]
    assert await inbox(desk.api, desk.runtime, left) == []


async def test_more_places_go_to_who_waits_in_their_order(desk: Desk) -> None:
    await desk.open(capacity=1)
    people = await make_people(desk.runtime, 4)
    await sign_up(desk.runtime, desk.activity, *people)

    assert (await desk.edit(capacity=3)).status_code == 200

    assert await desk.states(*people) == [*[("confirmed", None)] * 3, ("waitlisted", 1)]
    assert [one["kind"] for one in await inbox(desk.api, desk.runtime, people[2])] == ["promoted"]
    unlimited = await desk.edit(version=2, capacity=None)
    assert unlimited.json()["signups_confirmed"] == 4
    await assert_ledger_verifies(desk.runtime)


async def test_fewer_places_move_the_latest_to_the_head_of_the_waiting_list(desk: Desk) -> None:
    await desk.open(capacity=3)
    people = []
    for person in await make_people(desk.runtime, 4):  # ids of one millisecond have no order
        await sign_up(desk.runtime, desk.activity, person)
        people.append(person)

    refused = await desk.edit(capacity=1)
    moved = await desk.edit(capacity=1, waitlist_latest=True)

    assert_refused(refused, 409, "activities.capacity_taken")
    assert moved.status_code == 200, moved.text
    assert await desk.states(*people) == [
        ("confirmed", None),
        *[("waitlisted", place) for place in (1, 2, 3)],
    ]
    [notice] = await inbox(desk.api, desk.runtime, people[1])
    assert notice["kind"] == "activity_waitlisted"
    assert await inbox(desk.api, desk.runtime, people[3]) == [], "waited before, waits still"
    await desk.edit(version=2, capacity=2)
    assert (await desk.states(people[1]))[0] == ("confirmed", None)
    await assert_ledger_verifies(desk.runtime)


async def test_who_has_checked_in_is_not_moved_and_their_awards_stay_true(desk: Desk) -> None:
    await desk.open(**begun(capacity=2))
    first = await desk.attended()
    second = await make_person(desk.runtime)
    await sign_up(desk.runtime, desk.activity, second)

    assert_refused(
        await desk.edit(capacity=1, starts_at=desk.activity.starts_at - timedelta(hours=1)),
        *(409, "activities.attended"),
    )
    assert (await desk.edit(capacity=1, waitlist_latest=True, title="改名")).status_code == 200
    third = await desk.check_in(second)

    assert await desk.states(first, second) == [("confirmed", None), ("waitlisted", 1)]
    assert_refused(third, 403, "checkins.not_signed_up")
    await assert_ledger_verifies(desk.runtime)


async def test_the_cover_is_a_picture_of_the_activity(desk: Desk) -> None:
    await desk.open()
    made = await attach(desk.api, desk.organizer, ("activity", desk.activity.id))
    cover = made["id"]
    shown = (await desk.edit(cover_id=cover)).json()
    other = await Desk(desk.api, desk.runtime).open()

    assert shown["cover"] == {
        "id": cover,
        "url": f"{API}/attachments/{cover}/file",
        "thumbnail_url": f"{API}/attachments/{cover}/thumbnail",
    }
    assert (await desk.api.get(shown["cover"]["thumbnail_url"])).status_code == 200
    refused = await other.edit(cover_id=cover)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == ["body.cover_id"]
    gone = await desk.api.delete(f"{API}/attachments/{cover}", headers=keyed(desk.organizer))
    assert gone.status_code == 204, gone.text
    assert (await desk.read())["cover"] is None


async def test_who_edits_a_published_activity_has_a_part_in_it(desk: Desk) -> None:
    await desk.open(**begun())
    await desk.edit(title="夏至植树")
    await sign_up(desk.runtime, desk.activity, desk.organizer)

    checked = await desk.check_in(desk.organizer)

    assert checked.json()["award"]["state"] == "pending"
    await assert_ledger_verifies(desk.runtime)


async def test_verification_holds_after_every_edit_that_is_allowed(desk: Desk) -> None:
    """With a check-in before the edit; each change alone, so that no refusal hides another."""
    await desk.open(**begun(capacity=5))
    person = await desk.attended()
    later = (desk.activity.ends_at + timedelta(hours=1)).isoformat()
    place = {"name": "江边", "latitude": 32.2, "longitude": 119.8}
    asked: list[dict[str, Any]] = [
        *({"title": "x"}, {"description": "x"}, {"category": "health"}, {"capacity": 1}),
        *({"location": place}, {"signup_closes_at": now().isoformat()}, {"ends_at": later}),
        *({"starts_at": (now() - timedelta(hours=9)).isoformat()}, {"rule_key": "theme_study"}),
    ]
    told = {}
    for change in asked:
        version = (await desk.read())["version"]
        told[next(iter(change))] = (await desk.edit(version, **change)).status_code
        await assert_ledger_verifies(desk.runtime)

    fixed = {"starts_at", "ends_at", "rule_key"}
    assert {name for name, status in told.items() if status == 409} == fixed
    assert {status for name, status in told.items() if name not in fixed} == {200}
    assert (await desk.check_in(person)).status_code == 200, "the same again"


async def test_without_a_check_in_times_and_rule_may_change(desk: Desk) -> None:
    """The control of the one above: without a check-in all of it may change."""
    await desk.open(**begun())
    later = desk.activity.ends_at + timedelta(hours=1)
    assert (await desk.edit(ends_at=later, rule_key="theme_study")).status_code == 200


async def test_times_that_have_passed_stay_and_none_is_moved_there(desk: Desk) -> None:
    """A start later than now lets no-shows give their place back, and the activity pay again."""
    day, past = timedelta(days=1), now() - timedelta(minutes=2)

    async def retimed(desk: Desk, starts_at: datetime, ends_at: datetime) -> httpx.Response:
        return await desk.edit(starts_at=starts_at, ends_at=ends_at)

    await desk.open()  # begins in a minute
    back = await retimed(desk, past, desk.activity.ends_at)
    assert_refused(back, 422, "request.invalid")
    assert [one["field"] for one in back.json()["errors"]] == ["body.starts_at"]
    later = await retimed(desk, desk.activity.starts_at + day, desk.activity.ends_at + day)
    assert later.status_code == 200
    await desk.open(**begun())
    for start, end in ((day, day), (-day / 24, timedelta(0))):
        moved = await retimed(desk, desk.activity.starts_at + start, desk.activity.ends_at + end)
        assert_refused(moved, 409, "activities.begun")
    assert_refused(await retimed(desk, desk.activity.starts_at, past), 422, "request.invalid")
    await desk.open(starts_at=now() - timedelta(hours=3))
    over = await retimed(desk, desk.activity.starts_at, now() + timedelta(hours=1))
    assert_refused(over, 409, "activities.begun")
    assert (await desk.edit(title="夏至植树")).status_code == 200


async def test_nothing_is_edited_in_a_closed_organisation(desk: Desk) -> None:
    await desk.open(starts_at=now() - timedelta(days=1))
    closed = f"UPDATE orgs SET closed_at = now() WHERE id = '{desk.org.id}'"  # noqa: S608
    await as_owner(desk.runtime.settings, closed)
    assert_refused(await desk.edit(title="夏至植树"), 409, "orgs.closed")
    await as_owner(desk.runtime.settings, closed.replace("now()", "NULL"))  # it has no entry


async def test_what_is_over_is_neither_created_nor_copied_nor_published(desk: Desk) -> None:
    starts_at = now() - timedelta(hours=3)
    await desk.open(status=ActivityStatus.draft, starts_at=starts_at)
    body = edit_body(desk.activity) | {"org_id": str(desk.org.id)}
    path = f"{ACTIVITIES}/{desk.activity.id}"
    for where, sent in (
        (ACTIVITIES, body),
        (f"{path}/copies", {"starts_at": starts_at.isoformat()}),
        (f"{path}/publish", {}),
    ):
        refused = await desk.api.post(where, headers=keyed(desk.organizer), json=sent)
        assert_refused(refused, 422, "request.invalid")
        told = [(one["field"], one["msg"]) for one in refused.json()["errors"]]
        assert told == [("body.ends_at", "应晚于当前时间")], where
