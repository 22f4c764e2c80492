"""Sessions, friends, offers and shifts under a rush, each with its guard taken out as a control."""

from collections import Counter
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.clock import now
from app.jobs import signup_offers as jobs
from app.models.activities import Activity
from app.queries import shift_holds, waiting_lists
from app.runtime import Runtime
from tests.concurrency import rushes
from tests.concurrency.guards import without_lock
from tests.concurrency.meeting import meet_after, meet_before
from tests.concurrency.rushes import at_once, client_of
from tests.engines import as_owner
from tests.factories.http import keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.people import make_people, make_person
from tests.factories.signup_terms import counters, make_sessions

Facts = dict[str, Any]
TERMS = {"friends": 2, "offer_minutes": 30}


async def seats(runtime: Runtime, activity: Activity) -> dict[int, int]:
    """Count the places that sign-ups hold, by session."""
    query = text(
        "SELECT session, sum(1 + friends) AS places FROM signups WHERE activity_id = :id"
        " AND status IN ('confirmed', 'offered') GROUP BY 1"
    )
    async with runtime.database.read() as tx:
        found = await tx.execute(query, {"id": activity.id})
        return {one.session: int(one.places) for one in found}


async def groups_for_sessions(app: FastAPI, people: int = 60, capacity: int = 9) -> Facts:
    """Let groups of up to three rush for two sessions; then half leave, and offers lapse."""
    async with client_of(app) as (api, runtime):
        activity = await make_sessions(runtime, 6, 6, capacity=capacity, signup_terms=TERMS)
        crowd = await make_people(runtime, people)
        path = f"/api/v1/activities/{activity.id}/signups"
        bodies = [{"session": n, "friends": f} for f in (0, 1, 2) for n in (1, 2)]
        replies = await at_once(
            api.post(path, headers=one.headers, json=body)
            for one, body in zip(crowd, cycle(bodies), strict=False)
        )
        rushed = await seats(runtime, activity)
        waiting = Counter(r.json()["session"] for r in replies if r.json().get("position"))
        queues = {
            n: sorted(_positions(replies, n)) == list(range(1, waiting[n] + 1)) for n in waiting
        }
        held = [(one, r.json()["id"]) for one, r in zip(crowd, replies, strict=True)]
        await at_once(
            api.delete(f"/api/v1/signups/{signup}", headers=one.headers)
            for one, signup in held[::2]
        )
        await _end_offers(runtime, activity)
        await at_once([jobs.pass_on(runtime) for _ in range(4)])
        after = await seats(runtime, activity)
        told = await counters(runtime, activity)
        return {
            "statuses": rushes.statuses(replies),
            "rushed": sum(rushed.values()) <= capacity and max(rushed.values()) <= 6,
            "queues": all(queues.values()),
            "after": sum(after.values()) <= capacity and max(after.values(), default=0) <= 6,
            "counted": [one for one, _ in told]
            == [sum(after.values()), *(after.get(n, 0) for n in (1, 2))],
        }


async def _end_offers(runtime: Runtime, activity: Activity) -> None:
    query = text(
        "UPDATE signups SET offer_until = now() - INTERVAL '1 s'"
        " WHERE activity_id = :id AND status = 'offered'"
    )
    async with runtime.database.transaction() as tx:
        await tx.execute(query, {"id": activity.id})


def _positions(replies: list[Any], session: int) -> list[int]:
    found = [one.json() for one in replies]
    return [one["position"] for one in found if one["session"] == session and one["position"]]


async def test_groups_never_get_more_places_than_there_are(app: FastAPI) -> None:
    assert await groups_for_sessions(app) == {
        "statuses": {201: 60},
        "rushed": True,
        "queues": True,
        "after": True,
        "counted": True,
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_locks_on_the_places(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCK_SEATS", "LOCK_SESSIONS"):
        monkeypatch.setattr(waiting_lists, name, without_lock(getattr(waiting_lists, name)))
    meet_after(monkeypatch, waiting_lists, "lock_sessions", parties=rushes.WORKERS)
    await as_owner(
        broken.state.runtime.settings,
        "ALTER TABLE activities DROP CONSTRAINT ck_activities_seats",
        "ALTER TABLE activity_sessions DROP CONSTRAINT ck_activity_sessions_seats",
    )
    facts = await groups_for_sessions(broken, people=32, capacity=4)
    assert not (facts["rushed"] and facts["counted"])


async def shifts_at_once(app: FastAPI, number: int = 8) -> dict[str, int]:
    """Let a person ask for overlapping shifts of so many activities at once."""
    async with client_of(app) as (api, runtime):
        starts_at = now() + timedelta(hours=1)
        gates = [
            await make_sessions(runtime, 5, shifts=True, starts_at=starts_at) for _ in range(number)
        ]
        person = await make_person(runtime)
        replies = await at_once(
            api.post(
                f"/api/v1/activities/{one.id}/signups",
                headers=person.headers,
                json={"session": 1},
            )
            for one in gates
        )
        return rushes.outcomes(replies)


async def test_of_shifts_at_one_time_a_person_gets_one(app: FastAPI) -> None:
    assert await shifts_at_once(app) == {"201": 1, "signups.clash": 7}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_constraint_on_shifts(broken: FastAPI) -> None:
    await as_owner(
        broken.state.runtime.settings,
        "ALTER TABLE shift_holds DROP CONSTRAINT ex_shift_holds_overlap",
    )
    assert (await shifts_at_once(broken))["201"] > 1
    assert "ON CONFLICT" in shift_holds.TAKE


async def swaps_at_once(app: FastAPI, number: int = 6) -> Facts:
    """Let a person take shifts at one time that people of so many activities give away, at once."""
    async with client_of(app) as (api, runtime):
        starts_at = now() + timedelta(hours=1)
        taker, swaps = await make_person(runtime), []
        for giver in await make_people(runtime, number):
            gate = await make_sessions(runtime, 1, shifts=True, starts_at=starts_at)
            path = f"/api/v1/activities/{gate.id}/signups"
            await api.post(path, headers=giver.headers, json={"session": 1})
            listed = await api.get(f"/api/v1/activities/{gate.id}/sessions")
            path = f"/api/v1/shifts/{listed.json()['items'][0]['id']}/swaps"
            made = await api.post(path, headers=keyed(giver), json={"open": True})
            swaps.append(made.json()["id"])
        replies = await at_once(
            api.post(f"/api/v1/swaps/{one}/acceptance", headers=keyed(taker), json={})
            for one in swaps
        )
        query = text("SELECT count(*) FROM signups WHERE person_id = :id AND status = 'confirmed'")
        async with runtime.database.read() as tx:
            held = (await tx.execute(query, {"id": taker.id})).scalar_one()
        return {"outcomes": rushes.outcomes(replies), "held": held}


async def test_of_shifts_given_away_at_one_time_a_person_gets_one(app: FastAPI) -> None:
    facts = await swaps_at_once(app)
    assert facts == {"outcomes": {"200": 1, "swaps.clash": 5}, "held": 1}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_swaps_without_the_constraint_on_shifts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_before(monkeypatch, shift_holds, "take", parties=2)
    await as_owner(
        broken.state.runtime.settings,
        "ALTER TABLE shift_holds DROP CONSTRAINT ex_shift_holds_overlap",
    )
    assert (await swaps_at_once(broken))["held"] > 1
