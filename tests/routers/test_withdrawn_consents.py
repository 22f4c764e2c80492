"""What a child under 14 does is refused once the guardian's consent is withdrawn."""

from collections.abc import Awaitable, Callable
from functools import partial

import httpx
import pytest

from app.core.clock import local_date, now, years_before
from app.models.consents import ConsentDocument
from app.runtime import Runtime
from tests.factories.activities import make_activity, make_attended
from tests.factories.consents import agree
from tests.factories.forms import answer, make_asking
from tests.factories.http import assert_refused
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.presences import come, only_checkin
from tests.factories.quests import codes_of, make_quest, visit
from tests.factories.signup_terms import accept_by, describe
from tests.routers.test_signup_offers import OFFERS, offered
from tests.routers.test_swaps import make_rota

API = "/api/v1"
GUARDIAN = ConsentDocument.guardian
NEEDED = {"rule": "guardian_consent", "wanted": "guardian_consent", "seen": "unknown"}
Deed = Callable[[], Awaitable[httpx.Response]]
# Makes what a child with consent may do, and returns it.
Scene = Callable[[httpx.AsyncClient, Runtime, TestPerson], Awaitable[Deed]]


async def _visit(api: httpx.AsyncClient, runtime: Runtime, child: TestPerson) -> Deed:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    quest = await make_quest(api, organizer, org, needed=1)
    [code, *_] = await codes_of(api, organizer, quest)
    return partial(visit, api, child, code)


async def _answer(api: httpx.AsyncClient, runtime: Runtime, child: TestPerson) -> Deed:
    org = await make_org(runtime)
    _, asked = await make_asking(api, runtime, await make_organizer(runtime, org.id), org)
    return partial(answer, api, child, asked)


async def _propose(api: httpx.AsyncClient, runtime: Runtime, child: TestPerson) -> Deed:
    rota = await make_rota(api, runtime, [child, await make_person(runtime)])
    return partial(rota.propose, with_signup_id=rota.signups[1])


async def _exchange(api: httpx.AsyncClient, runtime: Runtime, child: TestPerson) -> Deed:
    rota = await make_rota(api, runtime, [await make_person(runtime), child])
    return partial(rota.answer, await rota.offered(), child, "acceptance")


async def _take(api: httpx.AsyncClient, runtime: Runtime, child: TestPerson) -> Deed:
    activity = await make_activity(runtime, capacity=1, signup_terms=OFFERS)
    holder = await make_person(runtime)
    place = await offered(runtime, activity, holder.id, child.id)
    return partial(accept_by, api, child, place)


async def _befriend(api: httpx.AsyncClient, runtime: Runtime, child: TestPerson) -> Deed:
    activity = await make_attended(runtime, child)
    await come(runtime, activity, child)
    path = f"{API}/checkins/{await only_checkin(runtime, activity)}/friends"
    return partial(api.put, path, headers=child.headers, json={"names": []})


async def _note(api: httpx.AsyncClient, runtime: Runtime, child: TestPerson) -> Deed:
    rota = await make_rota(api, runtime, [child])
    path = f"{API}/shifts/{rota.shifts[0]['id']}/note"
    return partial(api.put, path, headers=child.headers, json={"text": "冰袋已用完"})


@pytest.mark.parametrize(
    ("scene", "status"),
    [
        (_visit, 201),
        (_answer, 200),
        (_propose, 201),
        (_exchange, 200),
        (_take, 200),
        (_befriend, 200),
        (_note, 200),
    ],
)
async def test_a_child_does_nothing_without_the_consent(
    api: httpx.AsyncClient, runtime: Runtime, scene: Scene, status: int
) -> None:
    child = await make_person(runtime)
    await describe(runtime, child, birth_date=years_before(local_date(now()), 10))
    assert (await agree(api, child, GUARDIAN)).is_success
    deed = await scene(api, runtime, child)
    assert (await agree(api, child, GUARDIAN, given=False)).is_success

    refused = await deed()

    assert_refused(refused, 403, "signups.not_eligible")
    assert refused.json()["facts"] == NEEDED
    assert (await agree(api, child, GUARDIAN)).is_success
    # Nothing was stored: a second visit, offer or acceptance would have another status.
    assert (await deed()).status_code == status
    await assert_ledger_verifies(runtime)
