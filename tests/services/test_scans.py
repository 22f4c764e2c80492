"""An upload that ends in the middle is uploaded again: every scan is settled once."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import now
from app.core.db import Session
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.core.signed_events import Signed
from app.models.activities import Activity
from app.models.checkins import CheckinMethod
from app.models.checkouts import Departure
from app.models.orgs import Org
from app.runtime import Runtime
from app.services.checkins import Recorded, Scan
from app.services.checkouts import Leave, Left
from app.services.scans import settling, uploads
from app.services.scans.settling import Case
from app.services.scans.uploads import Parcel
from tests.factories.activities import make_activity
from tests.factories.devices import register
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people
from tests.factories.scans import Recorder, ms, sign_up_before
from tests.factories.scans import Signed as SignedText

MINUTE, SOME = timedelta(minutes=1), timedelta(seconds=20)
Settle = Callable[[Session, UUID, Sequence[Case]], Awaitable[None]]


def parcel(recorder: Recorder, events: Sequence[SignedText]) -> Parcel:
    signed = [Signed(**one) for one in events]
    return Parcel(UUID(recorder.device.id), None, None, ms(now()), signed)


async def receive(runtime: Runtime, recorder: Recorder, events: Sequence[SignedText]) -> Any:
    sent = parcel(recorder, events)
    engines = (runtime.database, runtime.offline_codes, runtime.scan_uploads)
    return await uploads.receive(*engines, sent)


async def _begun(api: httpx.AsyncClient, runtime: Runtime) -> tuple[Org, TestPerson, Activity]:
    org = await make_org(runtime)
    starts_at = now() - timedelta(hours=2, minutes=1)
    activity = await make_activity(runtime, org=org, starts_at=starts_at, checks_out=True)
    return org, await make_organizer(runtime, org.id), activity


async def _counts(runtime: Runtime, activity: Activity) -> tuple[int, ...]:
    query = """
    SELECT (SELECT count(*) FROM checkins WHERE activity_id = :id) AS checkins,
           (SELECT count(*) FROM checkouts WHERE activity_id = :id AND award_id IS NOT NULL)
               AS checkouts,
           (SELECT count(*) FROM scans WHERE activity_id = :id) AS scans,
           (SELECT count(*) FROM scans WHERE activity_id = :id AND outcome = 'counted') AS counted,
           a.checkins AS came, a.checkouts AS went FROM activities a WHERE a.id = :id
    """
    async with runtime.database.read() as tx:
        [row] = await tx.fetch(query, {"id": activity.id})
    return tuple(row.values())


@pytest.mark.parametrize("before", [True, False], ids=["before a slice", "before its commit"])
async def test_an_upload_is_killed_in_the_middle_and_repeated(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    org, organizer, activity = await _begun(api, runtime)
    people = await make_people(runtime, 6)
    await sign_up_before(runtime, activity, *people)
    one = Recorder(runtime, await register(api, organizer, org), activity)
    start = activity.starts_at
    events = [await one.came(person, start) for person in people]
    events += [await one.left(person, start + 65 * MINUTE) for person in people]
    random.Random(18).shuffle(events)
    monkeypatch.setattr(uploads, "SLICE", 4)
    real, calls = settling.settle, 0

    async def settle(tx: Session, device_id: UUID, cases: Sequence[Case]) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await real(tx, device_id, cases)
            raise Retry("40P01")  # a deadlock: the slice is settled anew
        if calls == 3 and before:
            raise asyncio.CancelledError
        await real(tx, device_id, cases)
        if calls == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(settling, "settle", settle)
    with pytest.raises(asyncio.CancelledError):
        await receive(runtime, one, events)
    assert await _counts(runtime, activity) == (2, 2, 4, 4, 2, 2)

    reply = await receive(runtime, one, events)
    assert (reply.counted, reply.settled, reply.missing) == (12, 8, 0)
    assert await _counts(runtime, activity) == (6, 6, 12, 12, 6, 6)
    again = await asyncio.gather(*[receive(runtime, one, events[::-1]) for _ in range(3)])
    assert [(one.counted, one.settled) for one in again] == [(12, 0)] * 3
    await assert_ledger_verifies(runtime)


async def test_one_upload_that_comes_twice_at_once_is_settled_once(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SLICE", 2)
    org, organizer, activity = await _begun(api, runtime)
    people = await make_people(runtime, 5)
    await sign_up_before(runtime, activity, *people)
    one, two = [Recorder(runtime, await register(api, organizer, org), activity) for _ in "ab"]
    start = activity.starts_at
    seen = [[await it.came(person, start) for person in people] for it in (one, two)]
    # Two of one device at once: as many as a process settles at once.
    sending = [receive(runtime, one, seen[0]), receive(runtime, one, seen[0])]
    sending += [receive(runtime, two, seen[1]), receive(runtime, two, seen[1])]
    replies = await asyncio.gather(*sending)
    assert sum(reply.settled for reply in replies) == 10
    assert replies[0].counted + replies[2].counted == 5
    assert [one.outcome for one in replies[0].items] == [one.outcome for one in replies[1].items]
    assert await _counts(runtime, activity) == (5, 0, 10, 5, 5, 0)


async def _online(
    runtime: Runtime,
    activity: Activity,
    person: UUID,
    steward: UUID | None,
    came: datetime,
    left: datetime,
) -> None:
    """Let a person come and leave with network, by the code or by a steward."""
    method = CheckinMethod.steward if steward else CheckinMethod.rotating_code
    scan = Scan(activity.serial, person, method=method, recorded_by=steward, came_at=came)
    assert isinstance(await _at_last(lambda: runtime.checkins.submit(scan)), Recorded)
    leave = Leave(activity.serial, person, Departure(method), steward, left)
    assert isinstance(await _at_last(lambda: runtime.checkouts.submit(leave)), Left)


async def _at_last(submit: Callable[[], Awaitable[object]]) -> object:
    """Submit again while it is busy, as a phone does after a 503.

    Busy is the outcome of a command that was taken, and raised for one that waited too long.
    """
    for _ in range(20):
        with suppress(Busy):
            outcome = await submit()
            if not isinstance(outcome, Busy):
                return outcome
    pytest.fail("busy for twenty times")


async def _paid(runtime: Runtime, activity: Activity) -> list[Any]:
    query = """
    SELECT c.person_id, o.left_at - c.came_at AS stayed, a.minutes, a.points
    FROM checkins c JOIN checkouts o ON o.checkin_id = c.id JOIN awards a ON a.id = o.award_id
    WHERE c.activity_id = :id
    """
    async with runtime.database.read() as tx:
        return await tx.fetch(query, {"id": activity.id})


@pytest.mark.long
async def test_two_thousand_come_through_four_ways_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, registrar, activity = await _begun(api, runtime)
    steward, start = await make_organizer(runtime, org.id), activity.starts_at
    other = await make_activity(
        runtime, org=org, starts_at=start + 30 * MINUTE, hours=1.5, checks_out=True
    )
    people = await make_people(runtime, 2000)
    by_code, by_steward, by_device, offline = [people[n : n + 500] for n in range(0, 2000, 500)]
    overlapping = offline[:300]
    await sign_up_before(runtime, activity, *people)
    await sign_up_before(runtime, other, *overlapping)
    one, two, three = [
        Recorder(runtime, await register(api, registrar, org), activity) for _ in range(3)
    ]
    there = Recorder(runtime, three.device, other, 0, three.sequences)
    came = {person.id: start + n % 30 * MINUTE for n, person in enumerate(people)}
    stayed = {person.id: 30 + n % 60 for n, person in enumerate(people)}
    for person in overlapping:
        came[person.id], stayed[person.id] = start, 60
    left = {person: at + stayed[person] * MINUTE + SOME for person, at in came.items()}

    seen: list[list[SignedText]] = [[], [], []]
    for person in by_device:  # both saw them
        for recorder, events in ((one, seen[0]), (two, seen[1])):
            events.append(await recorder.came(person, came[person.id]))
            events.append(await recorder.left(person, left[person.id]))
    for person in offline:
        seen[2].append(await three.showed(person, came[person.id]))
        seen[2].append(await three.left(person, left[person.id]))
    for person in overlapping:
        seen[2].append(await there.came(person, start + 31 * MINUTE))
        seen[2].append(await there.left(person, start + 91 * MINUTE + 2 * SOME))
    for events in seen:
        random.Random(18).shuffle(events)

    ways = [
        _online(runtime, activity, one.id, by, came[one.id], left[one.id])
        for by, group in ((None, by_code), (steward.id, by_steward))
        for one in group
    ]
    sent = list(zip((one, two, three), seen, strict=True))
    sending = [receive(runtime, it, events) for it, events in sent]
    *replies, _ = await asyncio.gather(*sending, asyncio.gather(*ways))
    assert replies[0].counted + replies[1].counted == 1000
    assert replies[0].duplicate + replies[1].duplicate == 1000
    assert replies[2].counted == 1600
    for it, events in sent:  # again
        assert (await receive(runtime, it, events)).settled == 0

    rows, elsewhere = [await _paid(runtime, one) for one in (activity, other)]
    assert len(rows) == len({row.person_id for row in rows}) == 2000
    for row in rows:
        minutes = stayed[row.person_id]
        assert row.stayed // MINUTE == minutes
        assert (row.minutes, row.points) == (minutes // 30 * 30, minutes // 30)
    # Half an hour of it had not been counted before.
    assert [(row.minutes, row.points) for row in elsewhere] == [(30, 1)] * 300
    await assert_ledger_verifies(runtime)
