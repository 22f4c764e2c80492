"""Scans: uploaded by stewards and devices, settled once, and reported."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.core.signed_events import Action
from app.models.activities import Activity
from app.models.cards import card_number
from app.models.orgs import Org
from app.models.people import Role
from app.runtime import Runtime
from app.services import checkouts
from tests.engines import as_owner
from tests.factories.activities import make_activity, sign_up
from tests.factories.devices import register, revoke
from tests.factories.http import assert_refused, walk
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)
from tests.factories.scans import Recorder, card_of, sign_up_before, told
from tests.routers.test_audit import entries
from tests.routers.test_children import make_child
from tests.routers.test_co_organizers import add
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation         rule    nobody alice bob  counter rival sibling parent auditor admin outsider
uploadScans       person  401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
sendDeviceEvents  anyone  200+   200   200+ 200+    200+  200+    200+   200+    200+  200+
listScans         person  401    403   403  403     403   404     200+   200+    200+  404       404=activities.not_found
"""  # noqa: E501 - a table
HERS = {"scans": "person_id = :alice"}
BESIDE_POINTS = {"scans"}  # points depend on check-ins and check-outs
BEYOND_THE_SCHEMA = {"devices.not_found", "body.sent_ms"}  # 3.0 is no whole number to us
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# The time that an upload takes moves its events: no test depends on less than this.
SOME = timedelta(seconds=20)


async def _recorded(world: World) -> tuple[Recorder, dict[str, Any]]:
    activity = await make_activity(world.runtime, org=world.home)
    await sign_up(world.runtime, activity, world.alice)
    organizer = await make_organizer(world.runtime, world.home.id)
    recorder = Recorder(world.runtime, await register(world.api, organizer, world.home), activity)
    return recorder, recorder.body([await recorder.came(world.alice, now() - MINUTE)])


async def _upload(world: World) -> Ask:
    recorder, body = await _recorded(world)
    ids = {"activity_id": str(recorder.activity.id)}
    return Ask(ids, body=body | {"device_id": recorder.device.id})


async def _send(world: World) -> Ask:
    recorder, body = await _recorded(world)
    return Ask({"device_id": recorder.device.id}, body=body)


async def _list(world: World) -> Ask:
    recorder, body = await _recorded(world)
    await recorder.send(world.api, body["events"])
    return Ask({"activity_id": str(recorder.activity.id)})


REQUESTS = {"uploadScans": _upload, "sendDeviceEvents": _send, "listScans": _list}


async def known(setup: Setup) -> Known:
    device = await register(setup.api, setup.organizer, setup.org)
    activity = await make_activity(setup.runtime, org=setup.org)
    return {"device_id": [device.id], "activity_id": [str(activity.id)]}


async def _door(
    api: httpx.AsyncClient, runtime: Runtime, devices: int = 1, **activity: Any
) -> tuple[Org, TestPerson, list[Recorder]]:
    """Return an organisation, its steward, and devices at an activity that ended a minute ago."""
    org = await make_org(runtime)
    steward, registrar = [await make_organizer(runtime, org.id) for _ in "ab"]
    begun: dict[str, Any] = {"starts_at": now() - 2 * HOUR - MINUTE, "checks_out": True} | activity
    made = await make_activity(runtime, org=org, **begun)
    recorders = [
        Recorder(runtime, await register(api, registrar, org, name=f"门口 {n}"), made)
        for n in range(1, devices + 1)
    ]
    return org, steward, recorders


async def test_a_device_takes_no_child_out_of_a_class(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    _, steward, [recorder] = await _door(api, runtime, for_minors=True)
    course = recorder.activity
    child = TestPerson(UUID(await make_child(api, await make_person(runtime))), "张小雨", {})
    await sign_up_before(runtime, course, child)
    came = await recorder.came(child, course.starts_at)
    left = await recorder.left(child, course.ends_at)

    told = await recorder.upload(api, steward, [came, left])

    assert [(one["outcome"], one["reason"]) for one in told["items"]] == [
        ("counted", None),
        ("refused", "handover_needed"),
    ]


async def _minutes(runtime: Runtime, activity: Activity) -> dict[Any, tuple[int, Any]]:
    """Return how many minutes each person was there, and the points that count."""
    query = """
    SELECT c.person_id, o.left_at - coalesce(c.came_at, c.checked_in_at) AS stayed, a.points
    FROM checkins c JOIN checkouts o ON o.checkin_id = c.id JOIN awards a ON a.id = o.award_id
    WHERE c.activity_id = :id
    """
    async with runtime.database.read() as tx:
        rows = await tx.fetch(query, {"id": activity.id})
    assert len({row.person_id for row in rows}) == len(rows)
    return {row.person_id: (row.stayed // MINUTE, row.points) for row in rows}


async def test_three_devices_of_which_two_saw_the_same_people(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, steward, (one, two, three) = await _door(api, runtime, 3)
    one.ahead_ms, three.ahead_ms = 300_000, -300_000  # five minutes wrong, each its way
    activity, start = one.activity, one.activity.starts_at
    people = await make_people(runtime, 6)
    await sign_up_before(runtime, activity, *people)
    both, late, by_code, mixed, overlapping, away = people
    elsewhere = await make_activity(
        runtime, org=org, starts_at=start + HOUR / 2, hours=1, checks_out=True
    )
    await sign_up_before(runtime, elsewhere, overlapping)
    there = Recorder(runtime, three.device, elsewhere, three.ahead_ms, three.sequences)

    first = [
        await one.left(both, start + 90 * MINUTE),
        await one.came(both, start),
        await one.came(late, start + 61 * MINUTE),
        await one.showed(by_code, start + 2 * MINUTE),
        await one.came(overlapping, start - SOME),
        await one.left(overlapping, start + 2 * HOUR + SOME),
    ]
    second = [
        await two.came(both, start + MINUTE),
        await two.left(both, start + 91 * MINUTE),
        await two.came(late, start + 59 * MINUTE),
        await two.left(late, start + 2 * HOUR - SOME),
        await two.left(mixed, start + 62 * MINUTE + SOME),
    ]
    third = [
        await three.showed(by_code, start + 62 * MINUTE + SOME, action=Action.check_out),
        await three.came(mixed, start + 2 * MINUTE),
        await three.came(away, start - HOUR),
    ]
    shared = [
        await there.came(overlapping, start + 30 * MINUTE),
        await there.left(overlapping, start + 90 * MINUTE + SOME),
    ]
    replies = [await one.upload(api, steward, first), await two.upload(api, steward, second)]
    replies.append(await three.send(api, third + shared))

    assert [told(reply) for reply in replies] == [
        ["counted"] * 6,
        ["already_in", "already_out", "came_earlier", "counted", "not_checked_in"],
        ["counted", "counted", "outside_window", "counted", "counted"],
    ]
    # The check-out that the second device saw waited for the check-in of the third.
    rows = await walk(api, f"/api/v1/activities/{activity.id}/scans", steward.headers)
    waited = [row for row in rows if row["person_id"] == str(mixed.id)]
    steps = {(row["action"], row["outcome"]) for row in waited}
    assert steps == {("in", "counted"), ("out", "counted")}
    [repeated] = [row for row in rows if row["reason"] == "came_earlier"]
    assert (repeated["first_device_name"], repeated["first_sequence"]) == ("门口 1", 3)
    assert await _minutes(runtime, activity) == {
        both.id: (90, 3),
        late.id: (58, 1),
        by_code.id: (60, 2),
        mixed.id: (60, 2),
        overlapping.id: (120, 4),
    }
    # What counted here is not counted a second time there.
    assert await _minutes(runtime, elsewhere) == {overlapping.id: (60, 0)}

    again = [await one.upload(api, steward, first[::-1]), await two.upload(api, steward, second)]
    assert told(again[0]) == ["counted"] * 6
    assert told(again[1])[-1] == "counted"
    assert [one["settled"] for one in again] == [0, 0]
    assert len(await _minutes(runtime, activity)) == 5
    await assert_ledger_verifies(runtime)


async def test_what_is_no_event_of_an_active_device_is_not_stored(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, steward, (one, other) = await _door(api, runtime, 2)
    [person] = await make_people(runtime, 1)
    await sign_up_before(runtime, one.activity, person)
    start = one.activity.starts_at
    right = await one.came(person, start)
    foreign = await other.came(person, start)
    texts = [
        right | {"signature": foreign["signature"]},
        foreign,
        {"text": "x", "signature": "x"},
        await one.came(person, start, sequence=100_001),
        await one.came(person, now() + MINUTE),
        await one.came(person, start - timedelta(days=8)),
        await one.came(person, start, activity=2**31 - 1),
    ]
    expected = ["bad_signature", "unknown_device", "malformed", "sequence_jumps", "ahead"]
    expected += ["too_old", "other_activity"]
    reply = await one.upload(api, steward, texts)
    assert told(reply) == expected
    assert (reply["refused"], reply["settled"], reply["last_sequence"]) == (7, 0, 0)

    one.ahead_ms = 86_400_000
    assert told(await one.upload(api, steward, [right])) == ["clock_skewed"]
    one.ahead_ms = 0
    organizer = await make_organizer(runtime, org.id)
    await revoke(api, organizer, one.device.id)
    assert told(await one.send(api, [right])) == ["revoked"]
    assert await walk(api, f"/api/v1/activities/{one.activity.id}/scans", steward.headers) == []
    unknown = await api.post("/api/v1/devices/x/events", json=one.body([right]))
    assert_refused(unknown, 404, "devices.not_found")
    elsewhere = await make_org(runtime)
    far = await register(api, await make_organizer(runtime, elsewhere.id), elsewhere)
    path = f"/api/v1/activities/{one.activity.id}/scans"
    body = one.body([right]) | {"device_id": far.id}
    assert_refused(
        await api.post(path, headers=steward.headers, json=body), 404, "devices.not_found"
    )


async def test_each_refusal_of_a_scan_has_its_reason(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, steward, [one] = await _door(api, runtime, checks_out=False)
    person, helper, stranger = await make_people(runtime, 3)
    await add(api, steward, one.activity.id, helper)
    await sign_up_before(runtime, one.activity, person, helper)
    start = one.activity.starts_at
    other = await make_activity(runtime, org=org)
    own = card_number(await card_of(runtime, person))[-4:]
    wrong = f"{(int(own) + 1) % 10_000:04}"
    events = [
        await one.came(person, start),
        await one.came(person, start, sequence=1, action=Action.check_out),
        await one.left(person, start + HOUR),
        await one.came(helper, start),
        await one.came(stranger, start),
        one.sign(one.event(start, card=2**31 - 1)),
        await one.came(person, start, session=3),
        await one.showed(person, start, of=other),
        await one.showed(person, start, code_at=start + HOUR),
        await one.showed(person, start, digits=wrong),
        one.sign(one.event(start, code="A" * 138, digits="0000")),
    ]
    reply = await one.upload(api, helper, events)
    assert told(reply) == [
        *("counted", "sequence_reused", "checkout_not_asked", "own_card", "not_signed_up"),
        *("card_unknown", "no_session", "code_elsewhere", "code_expired", "digits_wrong"),
        "code_invalid",
    ]
    assert (reply["conflict"], reply["last_sequence"], reply["missing"]) == (1, 10, 0)
    repeated = await one.upload(api, steward, [*events, await one.came(person, start, sequence=15)])
    assert told(repeated) == [*told(reply), "already_in"]
    assert (repeated["settled"], repeated["missing"]) == (1, 4)
    assert repeated["gaps"] == [{"first": 11, "last": 14}]
    written = await entries(api, await make_with_role(runtime, Role.auditor, org=org.id), org)
    settled = [one["facts"] for one in written if one["verb"] == "scans_settled"]
    assert settled == [{"duplicate": 1}, {"conflict": 1, "counted": 1, "refused": 9}]


async def test_scans_of_a_closed_activity_count_and_of_a_cancelled_one_not(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    _, steward, [one] = await _door(api, runtime, starts_at=now() - timedelta(days=2))
    people = await make_people(runtime, 3)
    await sign_up_before(runtime, one.activity, *people)
    start = one.activity.starts_at
    first = [await one.came(people[0], start), await one.came(people[1], start)]
    await as_owner(
        runtime.settings,
        f"UPDATE activities SET status = 'closed', version = 2 WHERE id = '{one.activity.id}'",  # noqa: S608
    )
    left = await one.left(people[0], start + HOUR)
    assert told(await one.upload(api, steward, [*first, left])) == ["counted"] * 3
    async with runtime.database.transaction() as tx:
        await checkouts.close_forgotten(tx, now(), 100)
    late = await one.left(people[1], start + HOUR)
    assert told(await one.upload(api, steward, [late])) == ["closed_before"]
    await as_owner(
        runtime.settings,
        f"UPDATE activities SET status = 'cancelled', cancel_reason = 'x', version = 3"  # noqa: S608
        f" WHERE id = '{one.activity.id}'",
    )
    assert told(await one.upload(api, steward, [await one.came(people[2], start)])) == ["not_open"]
