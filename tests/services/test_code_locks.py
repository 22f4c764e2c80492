"""Ten wrong card codes at one merchant within ten minutes lock it for ten."""

from datetime import datetime, timedelta

import httpx

from app.core.clock import now
from app.models.people import Role
from app.queries import code_locks as queries
from app.runtime import Runtime
from app.services import code_locks
from tests.conftest import ScratchFactory
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
    make_with_role,
)
from tests.factories.rewards import make_card_codes, make_counter
from tests.routers.test_audit import entries
from tests.routers.test_limits import limited

API = "/api/v1"


async def pay(
    api: httpx.AsyncClient, staff: TestPerson, card_code: str, path: str = "charges"
) -> httpx.Response:
    body: dict[str, object] = {"card_code": card_code, "points": 1}
    if path == "charges":
        body["note"] = ""
    return await api.post(f"{API}/merchant/{path}", headers=keyed(staff), json=body)


async def test_the_tenth_wrong_code_of_all_staff_locks_the_merchant(
    scratch: ScratchFactory,
) -> None:
    async with limited(scratch) as (api, runtime):
        org = await make_org(runtime)
        here, elsewhere = await make_counter(runtime, org=org), await make_counter(runtime, org=org)
        organizer = await make_organizer(runtime, org.id)
        admin = await make_administrator(runtime, org.id)
        second = await make_with_role(runtime, Role.merchant_staff, merchant=here.merchant.id)
        person = await make_person(runtime)
        await give_points(runtime, person.id, 10)
        good, other = await make_card_codes(runtime, person, 2)
        for place in range(code_locks.WRONG - 1):
            staff, path = (here.staff, "charges") if place % 2 else (second, "charges/preview")
            assert_refused(await pay(api, staff, f"{place:018}", path), 422, "cards.code_invalid")
        control = await pay(api, second, good)
        await pay(api, here.staff, "9" * 18)
        barred = [await pay(api, one, other) for one in (here.staff, second)]
        barred.append(await pay(api, second, other, "charges/preview"))
        key = keyed(second)
        body = {"card_code": other, "points": 1, "note": ""}
        waits = await api.post(f"{API}/merchant/charges", headers=key, json=body)
        async with runtime.database.transaction() as tx:
            row = await queries.lock(tx, here.merchant.id)
            left, row.locked_until = row.locked_until, now()
        later = await api.post(f"{API}/merchant/charges", headers=key, json=body)
        free = await pay(api, elsewhere.staff, "0" * 18)
        [notice] = await inbox(api, runtime, organizer)
        [entry] = [one for one in await entries(api, admin, org) if "locked" in one["verb"]]

    assert control.status_code == 201, "nine are not enough"
    for one in (*barred, waits):
        assert_refused(one, 429, "merchants.codes_locked")
        assert datetime.fromisoformat(one.json()["facts"]["until"]) == left
        assert 590 < int(one.headers["retry-after"]) <= 600
    assert later.status_code == 201, "the same request, when the lock is over"
    assert_refused(free, 422, "cards.code_invalid")
    assert (notice["kind"], "测试商户" in notice["text"]) == ("code_lock_begun", True)
    assert entry["subject"]["id"] == str(here.merchant.id)


async def test_wrong_codes_that_are_ten_minutes_old_count_no_more(runtime: Runtime) -> None:
    counter = await make_counter(runtime)

    async def missed(times: int, ago: timedelta) -> bool:
        async with runtime.database.transaction() as tx:
            row = await queries.lock(tx, counter.merchant.id)
            row.misses, row.locked_until = [now() - ago] * times, None
            await queries.save(tx, row)
            await code_locks.count(tx, counter.merchant.id)
            return row.locked_until is not None

    assert not await missed(code_locks.WRONG - 1, timedelta(minutes=10, seconds=1))
    assert await missed(code_locks.WRONG - 1, timedelta(minutes=9)), "control"
    assert not await missed(code_locks.WRONG - 2, timedelta(0))
