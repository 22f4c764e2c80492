"""One person at several activities of the same hours at once: the hours count once."""

import pytest
from fastapi import FastAPI

from app.queries.awards import attended_times
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_account_locks
from tests.concurrency.meeting import meet_after, meet_before
from tests.engines import as_owner
from tests.factories.ledger import assert_ledger_verifies

NUMBER = 8


async def test_the_same_hours_count_once(app: FastAPI) -> None:
    facts = await rushes.activities_at_the_same_hours(app, NUMBER)

    assert facts == {"statuses": {201: NUMBER}, "minutes": 120, "points": 4}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_without_the_lock_the_constraint_refuses(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_before(monkeypatch, attended_times, "count", parties=2)

    facts = await rushes.activities_at_the_same_hours(broken, 2)

    assert facts == {"statuses": {201: 1, 500: 1}, "minutes": 120, "points": 4}


@pytest.mark.long
async def test_control_without_the_lock_and_the_constraint(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    await as_owner(
        broken.state.runtime.settings,
        "ALTER TABLE attended_times DROP CONSTRAINT ex_attended_times_overlap",
    )
    meet_after(monkeypatch, attended_times, "count", parties=2)

    facts = await rushes.activities_at_the_same_hours(broken, 2)

    assert facts["minutes"] == 240
