"""Lists of commands: two of one person are in two lists; a deadlock in the transaction."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.db import Session
from app.core.errors import Busy
from app.queries import checkins as checkin_queries
from app.queries import signups as queries
from app.runtime import Runtime
from app.services.checkins import Recorded, Scan
from app.services.signups import Claim, Claimed
from tests.factories.activities import make_activity, make_attended, sign_up
from tests.factories.http import assert_refused
from tests.factories.people import make_people, make_person

DEADLOCK = text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$")


def meet_deadlocks(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Let the next transactions of sign-ups meet a deadlock; return how long each list is."""
    lists: list[int] = []
    real = queries.standing

    async def deadlocked(tx: Session, keys: Sequence[Any], *others: Any) -> Any:
        lists.append(len(keys))
        if len(lists) <= number:
            await tx.execute(DEADLOCK)
        return await real(tx, keys, *others)

    monkeypatch.setattr(queries, "standing", deadlocked)
    return lists


async def sign_up_together(runtime: Runtime, number: int) -> list[Any]:
    activity = await make_activity(runtime)
    claims = [Claim(activity.id, person.id) for person in await make_people(runtime, number)]
    return await asyncio.gather(*map(runtime.signups.submit, claims), return_exceptions=True)


async def test_a_list_that_meets_deadlocks_runs_again_as_a_list(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = meet_deadlocks(monkeypatch, 2)

    outcomes = await sign_up_together(runtime, 4)

    assert lists == [4, 4, 4]
    assert [type(one) for one in outcomes] == [Claimed] * 4
    assert all(one.is_new for one in outcomes), "the attempts before left nothing"


async def test_after_three_deadlocks_a_list_runs_one_by_one(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = meet_deadlocks(monkeypatch, 3)

    outcomes = await sign_up_together(runtime, 4)

    assert lists == [4, 4, 4, 1, 1, 1, 1]
    assert [type(one) for one in outcomes] == [Claimed] * 4


async def test_after_three_deadlocks_one_alone_is_told_to_come_again(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity, person = await make_activity(runtime), await make_person(runtime)
    lists = meet_deadlocks(monkeypatch, 99)

    response = await api.post(
        f"/api/v1/activities/{activity.id}/signups", headers=person.headers, json={}
    )

    assert_refused(response, 503, "service.busy")
    assert response.headers["retry-after"] == "1"
    assert lists == [1, 1, 1]


async def test_who_waits_behind_a_conflict_is_not_told_of_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = meet_deadlocks(monkeypatch, 3)
    activity = await make_activity(runtime)
    first, *others = [Claim(activity.id, person.id) for person in await make_people(runtime, 5)]
    alone = asyncio.create_task(runtime.signups.submit(first))
    await asyncio.sleep(0)  # its list of one begins
    await asyncio.sleep(0)

    outcomes = await asyncio.gather(*map(runtime.signups.submit, others))

    assert isinstance(await alone, Busy)
    assert [type(one) for one in outcomes] == [Claimed] * 4
    assert lists == [1, 1, 1, 4]


async def test_two_claims_of_one_person_are_in_two_lists(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = meet_deadlocks(monkeypatch, 0)
    activity = await make_activity(runtime)
    one, other = [Claim(activity.id, person.id) for person in await make_people(runtime, 2)]

    outcomes = await asyncio.gather(*map(runtime.signups.submit, [one, one, other, one]))

    assert lists == [2, 1, 1]
    assert all(isinstance(outcome, Claimed) for outcome in outcomes)
    new = [outcome.is_new for outcome in outcomes if isinstance(outcome, Claimed)]
    assert new == [True, False, True, False]


async def test_two_scans_of_one_person_are_in_two_lists(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = []
    real = checkin_queries.contexts

    async def counted(tx: Session, scans: Sequence[Any], *more: Any) -> Any:
        lists.append(len(scans))
        return await real(tx, scans, *more)

    monkeypatch.setattr(checkin_queries, "contexts", counted)
    first, second = await make_people(runtime, 2)
    activity = await make_attended(runtime, first)
    await sign_up(runtime, activity, second)
    one, other = [Scan(activity.serial, person.id) for person in (first, second)]

    outcomes = await asyncio.gather(*map(runtime.checkins.submit, [one, one, other, one]))

    assert lists == [2, 1, 1]
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    new = [outcome.is_new for outcome in outcomes if isinstance(outcome, Recorded)]
    assert new == [True, False, True, False]
