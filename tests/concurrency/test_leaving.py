"""A place that is given back or away while its holder checks in, or while the activity begins.

A check-in and a cancellation, or a swap: one of the two, never a place paid and free.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import time_machine
from fastapi import FastAPI

from app.core.clock import now
from app.core.db import Session
from app.models.activities import Activity
from app.queries import checkins, waiting_lists
from app.runtime import Runtime
from app.services import checkins as checkin_services
from app.services import signups
from app.services.checkins import Recorded, Scan
from app.services.swaps import accepting
from tests.concurrency.guards import take_out_row_locks, without_lock
from tests.concurrency.meeting import until_somebody_waits_for
from tests.factories.activities import current_code, make_attended
from tests.factories.http import assert_refused, in_process, keyed, walk
from tests.factories.ledger import balance
from tests.factories.people import TestPerson, make_people, make_person
from tests.factories.signup_terms import make_sessions, sign_up_by

LOCK = "FOR SHARE OF s"


async def test_who_is_giving_the_place_back_cannot_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)

    scanned = await _scan_while_leaving(api, runtime, person)

    assert_refused(scanned, 403, "checkins.not_signed_up")
    assert await balance(runtime, person.id) == 0


async def test_control_without_the_lock_on_the_place(
    alone: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a database of its own: what it leaves behind does not verify."""
    assert LOCK in checkins.INSERT
    monkeypatch.setattr(checkins, "INSERT", checkins.INSERT.replace(LOCK, ""))
    runtime: Runtime = alone.state.runtime
    person = await make_person(runtime)

    async with in_process(alone) as api:
        scanned = await _scan_while_leaving(api, runtime, person)

    assert scanned.status_code == 201
    assert await balance(runtime, person.id) > 0


async def _moved_forward(tx: Session, activity: Activity) -> None:
    start = now() - timedelta(minutes=1)
    await tx.fetch(
        "UPDATE activities SET starts_at = :start WHERE id = :id",
        {"start": start, "id": activity.id},
    )


async def _locked(tx: Session, activity: Activity) -> None:
    await tx.fetch("SELECT FROM activities WHERE id = :id FOR UPDATE", {"id": activity.id})


@pytest.mark.parametrize("begins", [_moved_forward, _locked], ids=["is moved", "time passes"])
async def test_who_waited_until_the_start_keeps_the_place(
    api: httpx.AsyncClient, runtime: Runtime, begins: Callable[[Session, Activity], Awaitable[None]]
) -> None:
    left = await _leave_while_it_begins(api, runtime, begins)

    assert_refused(left, 409, "signups.too_late_to_cancel")


async def test_control_without_the_lock_on_the_activity(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked = without_lock(waiting_lists.LOCK_SEATS)
    monkeypatch.setattr(waiting_lists, "LOCK_SEATS", unlocked)

    left = await _leave_while_it_begins(api, runtime, _moved_forward)

    assert left.status_code == 204


async def _leave_while_it_begins(
    api: httpx.AsyncClient, runtime: Runtime, begins: Callable[[Session, Activity], Awaitable[None]]
) -> httpx.Response:
    """Give the place back when the activity's row is locked, until after it has begun."""
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    (signup,) = await walk(api, "/api/v1/me/signups", person.headers)
    path = f"/api/v1/signups/{signup['id']}"
    with time_machine.travel(now()) as clock:
        async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
            await begins(tx, activity)
            left = group.create_task(api.delete(path, headers=person.headers))
            await until_somebody_waits_for(runtime, tx)
            clock.shift(timedelta(minutes=2))
    return left.result()


async def _scan_while_leaving(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson
) -> httpx.Response:
    """Scan when the place is given back but for the commit, which waits for the scan."""
    activity = await make_attended(runtime, person)
    (signup,) = await walk(api, "/api/v1/me/signups", person.headers)
    code = {"code": current_code(runtime, activity)}
    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
        await signups.cancel(tx, person.id, UUID(signup["id"]))
        scan = group.create_task(api.post("/api/v1/checkins", headers=person.headers, json=code))
        # With the lock for the place, without it for the activity, as its foreign key does.
        await until_somebody_waits_for(runtime, tx)
    (left,) = await walk(api, "/api/v1/me/signups", person.headers)
    assert left["status"] == "cancelled"
    return scan.result()


@dataclass
class _Offer:
    """A shift that opens for check-in, given away by one person to another."""

    activity: Activity
    giver: TestPerson
    taker: TestPerson
    id: UUID


async def _give_away(api: httpx.AsyncClient, runtime: Runtime) -> _Offer:
    starts_at = now() + timedelta(minutes=20)
    activity = await make_sessions(runtime, 1, shifts=True, starts_at=starts_at)
    giver, taker = await make_people(runtime, 2)
    assert (await sign_up_by(api, activity, giver, session=1)).status_code == 201
    [shift] = await walk(api, f"/api/v1/activities/{activity.id}/sessions")
    path = f"/api/v1/shifts/{shift['id']}/swaps"
    made = await api.post(path, headers=keyed(giver), json={"open": True})
    assert made.status_code == 201, made.text
    return _Offer(activity, giver, taker, UUID(made.json()["id"]))


async def test_who_is_giving_the_shift_away_cannot_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    offer = await _give_away(api, runtime)
    code = {"code": current_code(runtime, offer.activity)}
    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
        await accepting.accept(tx, offer.taker.id, offer.id)
        headers = offer.giver.headers
        scan = group.create_task(api.post("/api/v1/checkins", headers=headers, json=code))
        await until_somebody_waits_for(runtime, tx)
    assert_refused(scan.result(), 403, "checkins.not_signed_up")
    assert await balance(runtime, offer.giver.id) == 0


async def _accept_while_checking_in(api: httpx.AsyncClient, runtime: Runtime) -> httpx.Response:
    """Accept a shift when its holder has checked in but for the commit."""
    offer = await _give_away(api, runtime)
    path = f"/api/v1/swaps/{offer.id}/acceptance"
    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
        scan = Scan(offer.activity.serial, offer.giver.id)
        [came] = await checkin_services.record(tx, [scan], now())
        assert isinstance(came, Recorded)
        taken = group.create_task(api.post(path, headers=keyed(offer.taker), json={}))
        await until_somebody_waits_for(runtime, tx)
    return taken.result()


async def test_nobody_takes_the_shift_of_who_is_checking_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    taken = await _accept_while_checking_in(api, runtime)
    assert_refused(taken, 409, "swaps.checked_in")


async def test_control_without_the_lock_on_the_shift_that_is_taken(
    alone: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acceptance reads before the check-in commits, and waits only to write."""
    take_out_row_locks(monkeypatch)
    async with in_process(alone) as api:
        taken = await _accept_while_checking_in(api, alone.state.runtime)
    assert taken.status_code == 200, taken.text
