"""The live view: one reading a second for all screens, polled or streamed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlalchemy import Engine, event

from app.core.clock import now
from app.core.db import Session
from app.models.activities import Activity
from app.models.checkins import CheckinMethod
from app.runtime import Runtime
from app.services import live
from app.services.live import MOST_STREAMS
from tests.factories.activities import make_activity, make_attended, sign_up
from tests.factories.http import assert_refused
from tests.factories.organizing import Desk
from tests.factories.people import TestPerson, make_organizer, make_people, make_person
from tests.factories.presences import come, leave, make_with_sessions, only_checkin
from tests.routers.test_co_organizers import add
from tests.routers.test_corrections import annul
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation       rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getLiveView     person  401    403   403  403     403   404     200    403     200   404       404=activities.not_found
streamLiveView  person  401    403   403  403     403   404     200    403     200   404       404=activities.not_found
"""  # noqa: E501 - a table


async def _there(world: World) -> Ask:
    activity = await make_attended(world.runtime, world.alice, org=world.home)
    return Ask({"activity_id": str(activity.id)})


REQUESTS = {"getLiveView": _there, "streamLiveView": _there}


async def known(setup: Setup) -> Known:
    return {"activity_id": [str((await make_activity(setup.runtime, org=setup.org)).id)]}


def path_of(activity: Activity, last: str = "live") -> str:
    return f"/api/v1/activities/{activity.id}/{last}"


async def seen(api: httpx.AsyncClient, organizer: TestPerson, activity: Activity) -> dict[str, Any]:
    reply = await api.get(path_of(activity), headers=organizer.headers)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def counts(shown: dict[str, Any]) -> list[int | None]:
    names = ("confirmed", "waiting", "checked_in", "checked_out", "inside", "walk_ins", "missing")
    return [shown[name] for name in names]


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Collect what is sent to PostgreSQL, on the driver too."""
    sent: list[object] = []
    fetch = Session.fetch

    def note(*given: object) -> None:
        sent.append(given[2])

    async def noted(session: Session, statement: str, params: dict[str, Any]) -> Any:
        sent.append(statement)
        return await fetch(session, statement, params)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "fetch", noted)
        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(Engine, "before_cursor_execute", note)


async def test_fifty_screens_are_one_reading_a_second(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await Desk(api, runtime).open()
    person = await make_person(runtime, "王小四")
    await sign_up(runtime, desk.activity, person)
    organizers = [await make_organizer(runtime, desk.org.id) for _ in range(5)]
    path, tags = path_of(desk.activity), dict.fromkeys(range(50), "")

    async def poll(screen: int) -> int:
        headers = organizers[screen % 5].headers | {"If-None-Match": tags[screen]}
        reply = await api.get(path, headers=headers)
        tags[screen] = reply.headers["etag"]
        return reply.status_code

    async def poll_all(times: int) -> set[int]:
        rounds = [await asyncio.gather(*map(poll, tags)) for _ in range(times)]
        return {status for statuses in rounds for status in statuses}

    with time_machine.travel(now(), tick=False) as clock:
        with statements(monkeypatch) as sent:
            assert await poll_all(1) == {200}
            assert await poll_all(9) == {304}
        # Four of the view; whether each of five organizes it: three.
        assert len(sent) == 4 + 5 * 3
        before = await seen(api, organizers[0], desk.activity)
        await come(runtime, desk.activity, person)
        assert await poll_all(1) == {304}

        clock.shift(timedelta(seconds=1))
        with statements(monkeypatch) as sent:
            assert await poll_all(1) == {200}
        assert len(sent) == 4
        after = await seen(api, organizers[0], desk.activity)

    assert before["arrivals"] == []
    assert [one["display_name"] for one in before["missing_people"]] == ["王小四"]
    assert [one["display_name"] for one in after["arrivals"]] == ["王小四"]
    assert after["missing_people"] == []


async def test_a_right_that_ended_lasts_for_ten_seconds_at_most(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    desk, helper = await Desk(api, runtime).open(), await make_person(runtime)
    made = await add(api, desk.organizer, desk.activity.id, helper)
    ended = f"/api/v1/activities/{desk.activity.id}/co-organizers/{made['id']}"
    with time_machine.travel(now(), tick=False) as clock:
        await seen(api, helper, desk.activity)
        assert (await api.delete(ended, headers=desk.organizer.headers)).status_code == 204
        clock.shift(timedelta(seconds=10))
        for last in ("live", "live/stream"):
            refused = await api.get(path_of(desk.activity, last), headers=helper.headers)
            assert_refused(refused, 403, "auth.forbidden")


async def test_who_is_inside_who_walked_in_and_who_is_missing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    desk = await Desk(api, runtime).open(checks_out=True, capacity=4)
    people = [
        await make_person(runtime, name)
        for name in ("王一", "王二", "王三", "王四", "王五", "王六")
    ]
    came, left, annulled, walker = *people[:3], people[-1]
    await sign_up(runtime, desk.activity, *people[:5])
    await come(runtime, desk.activity, annulled)
    await annul(api, desk.organizer, await only_checkin(runtime, desk.activity))
    for one in (came, left):
        await come(runtime, desk.activity, one)
    await leave(runtime, desk.activity, left)
    steward = {"method": CheckinMethod.steward, "recorded_by": desk.organizer.id}
    await come(runtime, desk.activity, walker, may_walk_in=True, **steward)

    shown = await seen(api, desk.organizer, desk.activity)

    assert counts(shown) == [4, 1, 3, 1, 2, 1, 2]
    assert [(one["display_name"], one["method"]) for one in shown["arrivals"]] == [
        ("王六", "steward"),
        ("王二", "rotating_code"),
        ("王一", "rotating_code"),
    ]
    assert {one["display_name"] for one in shown["missing_people"]} == {"王三", "王四"}
    assert shown["sessions"] == []
    without = await make_activity(runtime, org=desk.org)
    assert counts(await seen(api, desk.organizer, without)) == [0, 0, 0, 0, None, 0, 0]


async def test_sessions_of_these_hours_count_each_for_itself(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    desk, hour = await Desk(api, runtime).open(), timedelta(hours=1)
    with time_machine.travel(now() + hour, tick=False) as clock:
        begins = now()
        spans = [(begins, 1.0), (begins + 2 * hour, 1.0), (begins + 168 * hour, 1.0)]
        series = await make_with_sessions(runtime, *spans, org=desk.org, checks_out=True)
        first, both, absent = await make_people(runtime, 3)
        await sign_up(runtime, series, first, both, absent)
        for one in (first, both):
            await come(runtime, series, one)
        clock.shift(2 * hour)
        await come(runtime, series, both)
        async with runtime.database.read() as tx:
            shown = (await live.view(tx, series.id)).model_dump(mode="json")

    assert [(one["session"], counts(one)) for one in shown["sessions"]] == [
        (1, [3, 0, 2, 0, 2, 0, 1]),
        (2, [3, 0, 1, 0, 1, 0, 2]),
    ]
    assert counts(shown) == [3, 0, 3, 0, 3, 0, 1]
    assert [one["session"] for one in shown["arrivals"]] == [2, 1, 1]
    assert len(shown["missing_people"]) == 1


async def test_a_stream_sends_the_view_and_ends(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """At once: the streams of tests stay open for no second."""
    desk = await Desk(api, runtime).open()
    path, headers = path_of(desk.activity, "live/stream"), desk.organizer.headers
    view = await api.get(path_of(desk.activity), headers=headers)
    tag = view.headers["etag"].strip('"')

    sent = await api.get(path, headers=headers)
    known = await api.get(path, headers=headers | {"Last-Event-ID": tag})

    assert sent.headers["content-type"].startswith("text/event-stream")
    assert sent.headers["x-accel-buffering"] == "no"
    assert sent.text == f"retry: 3000\n\ndata: {view.text}\nid: {tag}\n\n"
    assert known.text == "retry: 3000\n\n"


async def test_more_streams_than_places_are_asked_to_come_later(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    desk = await Desk(api, runtime).open()
    path, headers = path_of(desk.activity, "live/stream"), desk.organizer.headers
    taken = [runtime.live.streams.open() for _ in range(MOST_STREAMS - 1)]
    try:
        # Each gives the last place back.
        for method in ("GET", "HEAD", "GET"):
            assert (await api.request(method, path, headers=headers)).status_code == 200
        taken.append(runtime.live.streams.open())
        refused = await api.get(path, headers=headers)
    finally:
        for one in taken:
            one.close()
    assert_refused(refused, 503, "service.busy")
    assert int(refused.headers["retry-after"]) > 0
