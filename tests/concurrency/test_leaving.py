"""A check-in while its place is being given back: one of the two, never a place paid and free."""

import asyncio
from uuid import UUID

import httpx
import pytest

from app.queries import checkins
from app.runtime import Runtime
from app.services import signups
from tests.concurrency.meeting import until_somebody_waits_for
from tests.factories.activities import current_code, make_attended
from tests.factories.http import assert_refused, walk
from tests.factories.ledger import balance
from tests.factories.people import TestPerson, make_person

LOCK = "FOR SHARE OF s"


async def test_who_is_giving_the_place_back_cannot_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)

    scanned = await _scan_while_leaving(api, runtime, person)

    assert_refused(scanned, 403, "checkins.not_signed_up")
    assert await balance(runtime, person.id) == 0


async def test_control_without_the_lock_on_the_place(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LOCK in checkins.INSERT
    monkeypatch.setattr(checkins, "INSERT", checkins.INSERT.replace(LOCK, ""))
    person = await make_person(runtime)

    scanned = await _scan_while_leaving(api, runtime, person)

    assert scanned.status_code == 201
    assert await balance(runtime, person.id) > 0


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
