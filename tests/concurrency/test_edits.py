"""An activity is cancelled or moved while somebody checks in: never both.

The check-in has read the activity; the edit commits before the check-in is counted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from app.core.db import Session
from app.models.activities import Activity
from app.queries import checkins
from app.runtime import Runtime
from app.schemas.organizing import ActivityEditIn
from app.services.organizing import editing, ending
from tests.concurrency.meeting import until_somebody_waits_for
from tests.factories.activities import current_code, edit_body, make_attended
from tests.factories.http import assert_refused, in_process
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.people import TestPerson, make_organizer, make_person

GUARD = "AND a.version = k.version"
Change = Callable[[Session, TestPerson, Activity], Awaitable[object]]


async def _cancelled(tx: Session, organizer: TestPerson, activity: Activity) -> object:
    return await ending.cancel(tx, organizer.id, activity.id, "台风")


async def _moved(tx: Session, organizer: TestPerson, activity: Activity) -> object:
    times = [at + timedelta(hours=3) for at in (activity.starts_at, activity.ends_at)]
    body = edit_body(activity, starts_at=times[0], ends_at=times[1])
    asked = ActivityEditIn.model_validate(body)
    return await editing.edit(tx, organizer.id, activity.id, 1, asked)


@pytest.mark.parametrize(
    ("change", "code"),
    [(_cancelled, "activities.not_open"), (_moved, "checkins.outside_window")],
)
async def test_who_scans_meanwhile_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, change: Change, code: str
) -> None:
    person = await make_person(runtime)

    scanned = await _scan_while(api, runtime, person, change)

    assert_refused(scanned, 409, code)
    assert await balance(runtime, person.id) == 0
    await assert_ledger_verifies(runtime)


@pytest.mark.parametrize("change", [_cancelled, _moved])
async def test_control_a_check_in_that_compares_no_version(
    alone: FastAPI, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    assert GUARD in checkins.COUNT
    monkeypatch.setattr(checkins, "COUNT", checkins.COUNT.replace(GUARD, ""))
    runtime: Runtime = alone.state.runtime
    person = await make_person(runtime)

    async with in_process(alone) as api:
        scanned = await _scan_while(api, runtime, person, change)

    assert scanned.status_code == 201
    assert await balance(runtime, person.id) > 0


async def _scan_while(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, change: Change
) -> httpx.Response:
    """Scan when the change is made but for its commit, for which the scan waits."""
    activity = await make_attended(runtime, person)
    organizer = await make_organizer(runtime, activity.org_id)
    code = {"code": current_code(runtime, activity)}
    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
        await change(tx, organizer, activity)
        scan = group.create_task(api.post("/api/v1/checkins", headers=person.headers, json=code))
        await until_somebody_waits_for(runtime, tx)
    return scan.result()
