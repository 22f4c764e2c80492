"""A rush for the shifts of many posts, while people leave and others move up."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import cycle
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.models.activities import Activity
from app.queries import signups as queries
from app.queries import waiting_lists
from app.queries.signups import NewSignup
from app.runtime import Runtime
from tests.concurrency import rushes
from tests.concurrency.guards import without_lock
from tests.concurrency.meeting import meet_after
from tests.concurrency.rushes import Workers, at_once, client_of
from tests.engines import as_owner
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.people import TestPerson, make_people
from tests.factories.signup_terms import counters, make_sessions

pytestmark = pytest.mark.long
Facts = dict[str, Any]
Numbers = dict[UUID, int | None]
AT_ONCE = 40
EVERY_FOURTH = 4  # of who comes leaves


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Numbers:
    """Return the numbers with which sign-ups began to wait; None: they did not."""
    found: Numbers = {}
    real = queries.insert

    async def noted(session: Any, signups: Sequence[NewSignup]) -> None:
        await real(session, signups)
        found.update({one.id: one.queue_number for one in signups})

    monkeypatch.setattr(queries, "insert", noted)
    return found


async def come_and_go(app: FastAPI, numbers: Numbers, sizes: Sequence[int], people: int) -> Facts:
    """Let people rush for shifts of these sizes; every fourth leaves as soon as it has signed up.

    More people stay than a shift has places.
    """
    async with client_of(app) as (api, runtime):
        values: dict[str, Any] = {"hours": 3 * len(sizes), "sessions": len(sizes)}
        gates = await make_sessions(runtime, *sizes, shifts=True, **values)
        crowd = await make_people(runtime, people)
        door = asyncio.Semaphore(AT_ONCE)
        shifts = cycle(range(1, len(sizes) + 1))
        visits = await at_once(
            _visit(api, door, gates, one, shift, leaves=place // len(sizes) % EVERY_FOURTH == 0)
            for place, (one, shift) in enumerate(zip(crowd, shifts, strict=False))
        )
        confirmed, in_order = await _outcome(runtime, gates, numbers)
        places = [one for one, _ in await counters(runtime, gates)]
        return {
            "statuses": dict(Counter(status for visit in visits for status in visit)),
            "confirmed": confirmed == dict(enumerate(sizes, 1)),
            "counted": places == [sum(sizes), *sizes],
            "in_order": in_order,
        }


async def _visit(
    api: Workers,
    door: asyncio.Semaphore,
    gates: Activity,
    person: TestPerson,
    shift: int,
    *,
    leaves: bool,
) -> list[int]:
    """Sign up, and perhaps leave again; return the statuses of the replies."""
    path = f"/api/v1/activities/{gates.id}/signups"
    async with door:
        came = await api.post(path, headers=person.headers, json={"session": shift})
        if not leaves or came.status_code != 201:
            return [came.status_code]
        left = await api.delete(f"/api/v1/signups/{came.json()['id']}", headers=person.headers)
        return [came.status_code, left.status_code]


async def _outcome(
    runtime: Runtime, gates: Activity, numbers: Numbers
) -> tuple[dict[int, int], bool]:
    """Return who has a place by shift, and whether all who moved up came before all who wait."""
    query = text(
        "SELECT id, session, status FROM signups WHERE activity_id = :id AND status <> 'cancelled'"
    )
    async with runtime.database.read() as tx:
        rows = (await tx.execute(query, {"id": gates.id})).all()
    confirmed = Counter(one.session for one in rows if one.status == "confirmed")
    moved: dict[int, list[int]] = defaultdict(list)
    waiting: dict[int, list[int]] = defaultdict(list)
    for one in rows:
        number = numbers[one.id]
        if number is not None:
            (waiting if one.status == "waitlisted" else moved)[one.session].append(number)
    in_order = all(
        len(set(waiting[n])) == len(waiting[n]) and max(moved[n], default=0) < min(waiting[n])
        for n in waiting
    )
    return dict(confirmed), in_order


async def test_twenty_posts_are_full_and_their_lists_in_order(
    app: FastAPI, numbers: Numbers
) -> None:
    facts = await come_and_go(app, numbers, range(1, 21), people=600)
    assert facts == {
        "statuses": {201: 600, 204: 160},
        "confirmed": True,
        "counted": True,
        "in_order": True,
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_locks_on_the_places(
    broken: FastAPI, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCK_SEATS", "LOCK_SESSIONS"):
        monkeypatch.setattr(waiting_lists, name, without_lock(getattr(waiting_lists, name)))
    meet_after(monkeypatch, waiting_lists, "lock_sessions", parties=rushes.WORKERS)
    await as_owner(
        broken.state.runtime.settings,
        "ALTER TABLE activities DROP CONSTRAINT ck_activities_seats",
        "ALTER TABLE activity_sessions DROP CONSTRAINT ck_activity_sessions_seats",
    )
    facts = await come_and_go(broken, numbers, range(1, 5), people=64)
    assert not (facts["confirmed"] and facts["counted"])
