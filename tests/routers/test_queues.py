"""Queues count what an organizer may decide, and lead to it."""

from typing import Any

import httpx

from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.awards import approve, propose
from tests.factories.deductions import deduct
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, appoint, make_organizer, make_people
from tests.routers.test_award_review import decide, object_to
from tests.routers.test_deductions import appeal
from tests.security.world import Ask, World

MATRIX = """
operation     rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listMyQueues  person  401    200   200  200     200   200     200    200     200   200
"""


async def _nothing(_: World) -> Ask:
    return Ask()


REQUESTS = {"listMyQueues": _nothing}


async def queues(api: httpx.AsyncClient, person: TestPerson) -> list[dict[str, Any]]:
    reply = await api.get("/api/v1/me/queues", headers=person.headers)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def counts(api: httpx.AsyncClient, person: TestPerson) -> dict[str, int]:
    return {one["kind"]: one["count"] for one in await queues(api, person)}


async def test_only_what_one_may_decide_is_counted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    organizer, first, second = [await make_organizer(runtime, org.id) for _ in range(3)]
    above = await make_organizer(runtime, street.id)
    async with runtime.database.transaction() as tx:  # below a role that she has already
        await appoint(tx, above.id, Role.organizer, org=org.id)
    beside = await make_organizer(runtime, (await make_org(runtime)).id)
    person, other, witness = await make_people(runtime, 3)
    waiting, shown = await propose(api, organizer, org, person, other)
    await propose(api, first, org, first)
    assert (await approve(api, first, shown)).status_code == 200
    objection = await object_to(api, witness, shown)
    assert objection.status_code == 201, objection.text
    taken = await deduct(api, organizer, org, person)
    assert (await appeal(api, person, taken)).status_code == 200

    def told(proposals: int, objections: int, appeals: int) -> dict[str, int]:
        waits = {"proposals": proposals, "objections": objections, "appeals": appeals}
        return waits | {"flags": 0}

    assert await counts(api, organizer) == told(1, 0, 0)
    assert await counts(api, first) == told(1, 0, 1)
    assert await counts(api, second) == told(2, 1, 1)
    assert await counts(api, beside) == told(0, 0, 0)
    assert await counts(api, person) == {}
    items = await queues(api, above)
    assert [(one["kind"], one["count"], one["org_id"]) for one in items] == [
        ("proposals", 2, str(street.id)),
        ("objections", 1, str(street.id)),
        ("appeals", 1, str(street.id)),
        ("flags", 0, str(street.id)),
    ]
    replies = [await api.get(one["path"], headers=above.headers) for one in items]
    lists = [one.json()["items"] for one in replies]
    assert waiting["id"] in [one["award"]["id"] for one in lists[0]]
    assert [one["objections"][0]["id"] for one in lists[1]] == [objection.json()["id"]]
    assert [one["id"] for one in lists[2]] == [taken["id"]]
    assert items[1]["oldest_at"] is not None

    assert (await decide(api, second, objection, upheld=False)).status_code == 200
    assert (await approve(api, second, waiting)).status_code == 200
    assert await counts(api, second) == told(1, 0, 1)
    [empty] = [one for one in await queues(api, second) if one["kind"] == "objections"]
    assert empty["oldest_at"] is None
