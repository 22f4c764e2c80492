"""What one administrator has done but for the commit, another request waits for and sees."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel.sql.expression import Select, SelectOfScalar

from app.core.db import Session
from app.models.activities import ActivityStatus
from app.runtime import Runtime
from app.services import activities, members, org_changes, roles
from tests.concurrency.meeting import until_somebody_waits_for
from tests.factories.activities import make_activity, sign_up
from tests.factories.http import assert_refused, bearer, keyed, log_in, wechat_code
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer
from tests.routers.test_org_changes import make_tree

API = "/api/v1"
REASON = "区划调整"


@dataclass(frozen=True)
class Race:
    """``first`` is done in a transaction that stays open until ``second`` waits for it.

    ``refusal``: of the second, its status and code. ``alone``: its status without the first, and
    so without the locks.
    """

    first: Callable[[Session], Awaitable[Any]]
    second: Callable[[], Awaitable[httpx.Response]]
    refusal: tuple[int, str]
    alone: int


async def run(runtime: Runtime, race: Race) -> httpx.Response:
    async def answer() -> httpx.Response:
        return await race.second()

    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
        await race.first(tx)
        acting = group.create_task(answer())
        waiting = group.create_task(until_somebody_waits_for(runtime, tx))
        await asyncio.wait({acting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    return acting.result()


async def last_administrators(api: httpx.AsyncClient, runtime: Runtime) -> Race:
    root = await make_org(runtime)
    first, second = [await make_administrator(runtime, root.id) for _ in range(2)]
    [mine, yours] = [
        (await api.get(f"{API}/me", headers=one.headers)).json()["roles"][0]["id"]
        for one in (first, second)
    ]
    return Race(
        lambda tx: roles.leave(tx, first.id, mine),
        lambda: api.delete(f"{API}/me/roles/{yours}", headers=second.headers),
        (409, "roles.last_administrator"),
        204,
    )


async def publishing_while_closing(api: httpx.AsyncClient, runtime: Runtime) -> Race:
    _, community, admin = await make_tree(runtime)
    organizer = await make_organizer(runtime, community.id)
    draft = await make_activity(runtime, org=community, status=ActivityStatus.draft)
    path = f"{API}/activities/{draft.id}/publish"
    return Race(
        lambda tx: org_changes.close(tx, admin.id, community.id, REASON),
        lambda: api.post(path, headers=keyed(organizer)),
        (409, "orgs.closed"),
        200,
    )


async def closing_while_publishing(api: httpx.AsyncClient, runtime: Runtime) -> Race:
    _, community, admin = await make_tree(runtime)
    organizer = await make_organizer(runtime, community.id)
    draft = await make_activity(runtime, org=community, status=ActivityStatus.draft)
    path = f"{API}/orgs/{community.id}/closure"
    return Race(
        lambda tx: activities.publish(tx, organizer.id, draft.id),
        lambda: api.post(path, headers=keyed(admin), json={"reason": REASON}),
        (409, "orgs.in_use"),
        200,
    )


async def a_login_while_suspending(api: httpx.AsyncClient, runtime: Runtime) -> Race:
    org = await make_org(runtime)
    admin, user = await make_administrator(runtime, org.id), f"racer-{org.id}"
    login = await log_in(api, user)
    person = TestPerson(login["person"]["id"], "", bearer(login["access_token"]))
    await sign_up(runtime, await make_activity(runtime, org=org), person)
    code = {"code": await wechat_code(api, user)}
    return Race(
        lambda tx: members.suspend(tx, admin.id, org.id, UUID(str(person.id)), REASON),
        lambda: api.post(f"{API}/auth/wechat", json=code),
        (403, "auth.suspended"),
        200,
    )


RACES = (
    last_administrators,
    publishing_while_closing,
    closing_while_publishing,
    a_login_while_suspending,
)
Make = Callable[[httpx.AsyncClient, Runtime], Awaitable[Race]]


@pytest.mark.parametrize("make", RACES)
async def test_the_second_waits_and_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, make: Make
) -> None:
    race = await make(api, runtime)
    assert_refused(await run(runtime, race), *race.refusal)
    await assert_ledger_verifies(runtime)


@pytest.mark.parametrize("make", RACES)
async def test_control_without_the_locks(
    api: httpx.AsyncClient, runtime: Runtime, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    race = await make(api, runtime)
    for query in (Select, SelectOfScalar):
        monkeypatch.setattr(query, "with_for_update", lambda query, **_: query)
    assert (await run(runtime, race)).status_code == race.alone
