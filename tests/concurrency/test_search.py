"""An activity is edited or made while its organisation is renamed: both new texts find it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.db import Session
from app.models.activities import Activity, ActivityStatus
from app.queries import activities as queries
from app.queries import org_changes, orgs
from app.runtime import Runtime
from tests.concurrency.meeting import until_somebody_waits_for
from tests.engines import as_owner
from tests.factories.activities import make_activity
from tests.factories.orgs import make_org
from tests.queries.test_activities import listed

Act = Callable[[Session], Awaitable[None]]
_FUNCTION = text("SELECT pg_get_functiondef(CAST(CAST(:name AS text) AS regproc))")


async def in_turn(runtime: Runtime, first: Act, second: Act) -> None:
    """Commit the first when the second waits for it, or is done."""

    async def act() -> None:
        async with runtime.database.transaction() as tx:
            await second(tx)

    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
        await first(tx)
        acting = group.create_task(act())
        waiting = group.create_task(until_somebody_waits_for(runtime, tx))
        await asyncio.wait({acting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()


def renaming(activity: Activity) -> Act:
    async def act(tx: Session) -> None:
        org = await orgs.find(tx, activity.org_id)
        assert org is not None
        org.name = "幸福社区"
        await org_changes.save(tx, org)

    return act


def editing(activity: Activity) -> Act:
    async def act(tx: Session) -> None:
        found = await queries.lock(tx, activity.id)
        assert found is not None
        found.title = "灯谜"
        await queries.save(tx, found)

    return act


def deleting(activity: Activity) -> Act:
    async def act(tx: Session) -> None:
        found = await queries.lock(tx, activity.id)
        assert found is not None
        await queries.delete(tx, found)

    return act


def creating(activity: Activity) -> Act:
    async def act(tx: Session) -> None:
        columns = activity.model_dump(exclude={"id", "serial"})
        await queries.insert(tx, Activity(**columns | {"title": "灯谜"}))

    return act


@dataclass(frozen=True)
class Case:
    """``function``: the trigger's, and its lock."""

    act: Callable[[Activity], Act]
    function: str
    lock: str


async def found_by_both(runtime: Runtime, case: Case, is_renamed_first: bool) -> bool:
    activity = await make_activity(runtime, org=await make_org(runtime))
    acts = [renaming(activity), case.act(activity)]
    await in_turn(runtime, *(acts if is_renamed_first else acts[::-1]))
    return len(await listed(runtime, org_path=activity.org_path, q="灯谜 幸福社区")) == 1


CASES = [
    Case(editing, "index_activities_of_org", "FOR KEY SHARE"),
    Case(creating, "index_changed_activity", "FOR SHARE"),
]
TURNS = [(case, is_renamed_first) for case in CASES for is_renamed_first in (True, False)]
# Where the renaming is the first, the foreign keys of what it writes make an edit wait anyway.
GUARDED = [turn for turn in TURNS if turn != (CASES[0], True)]


@pytest.mark.parametrize(("case", "is_renamed_first"), TURNS)
async def test_changed_and_renamed_at_once(
    runtime: Runtime, case: Case, is_renamed_first: bool
) -> None:
    assert await found_by_both(runtime, case, is_renamed_first)


@pytest.mark.parametrize(("case", "is_renamed_first"), GUARDED)
@pytest.mark.long
async def test_without_the_lock_one_of_the_texts_would_be_the_old_one(
    broken: FastAPI, case: Case, is_renamed_first: bool
) -> None:
    runtime = broken.state.runtime
    async with runtime.database.read() as tx:
        function = (await tx.execute(_FUNCTION, {"name": case.function})).scalar_one()
    assert function.count(case.lock) == 1
    await as_owner(runtime.settings, function.replace(case.lock, ""))
    assert not await found_by_both(runtime, case, is_renamed_first)


async def test_an_organisation_is_renamed_while_a_draft_of_it_is_deleted(runtime: Runtime) -> None:
    draft = await make_activity(runtime, org=await make_org(runtime), status=ActivityStatus.draft)
    stays = await make_activity(runtime, org_id=draft.org_id, org_path=draft.org_path)
    await in_turn(runtime, deleting(draft), renaming(draft))
    assert await listed(runtime, org_path=draft.org_path, q="幸福社区") == [stays.id]
