"""Leaderboards that compare: neighbours, hours of service, communities; and who leaves them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.integrations.leaderboards import GENERATION
from app.jobs import closures
from app.jobs.outbox import relay
from app.models.orgs import Level, Org
from app.runtime import Runtime
from app.services.closures import TO_CHANGE_ONES_MIND
from app.services.leaderboards import feeding
from tests.factories.awards import give_award, reverse
from tests.factories.clock import travel
from tests.factories.http import keyed
from tests.factories.leaderboards import fed
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person
from tests.routers.test_leaderboards import board

API = "/api/v1"
HOURS, ORGS = f"{API}/leaderboards/hours", f"{API}/leaderboards/orgs"


async def _get(
    api: httpx.AsyncClient, path: str, person: TestPerson | None = None, **query: Any
) -> dict[str, Any]:
    headers = person.headers if person else None
    reply = await api.get(path, headers=headers, params={"period": "all"} | query)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


async def _same_from_the_ledger(
    runtime: Runtime,
    asked: Sequence[tuple[httpx.AsyncClient, str, TestPerson | None, dict[str, Any]]],
) -> None:
    """Compare what Redis says with what the ledger says."""
    from_redis = [await _get(api, path, one, **query) for api, path, one, query in asked]
    await runtime.redis.delete(GENERATION)
    from_ledger = [await _get(api, path, one, **query) for api, path, one, query in asked]
    await fed(runtime)
    assert from_ledger == from_redis


async def test_who_is_around_me(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    people = [await make_person(runtime, f"王{n}四") for n in range(7)]
    for points, person in enumerate(people, start=1):
        await give_points(runtime, person.id, points, org=org.id)
    await fed(runtime)

    def places(found: dict[str, Any]) -> list[tuple[int, int, bool]]:
        return [(one["rank"], one["points"], one["is_me"]) for one in found["around"]]

    middle = await board(api, org, people[3], around="me", limit=1)
    assert places(middle) == [(n, 8 - n, n == 4) for n in (2, 3, 4, 5, 6)]
    assert (middle["me"], len(middle["items"])) == ({"rank": 4, "points": 4}, 1)
    assert middle["around"][0]["display_name"] == "王*四"
    best = await board(api, org, people[6], around="me")
    assert places(best) == [(1, 7, True), (2, 6, False), (3, 5, False)]
    last = await board(api, org, people[0], around="me")
    assert places(last) == [(5, 3, False), (6, 2, False), (7, 1, True)]
    for one in (None, await make_person(runtime)):
        nobody = await board(api, org, one, around="me")
        assert (nobody["around"], nobody["me"]) == (None, None)
    assert (await board(api, org, people[3]))["around"] is None
    query = {"org_id": str(org.id), "around": "me"}
    path = f"{API}/leaderboards"
    await _same_from_the_ledger(
        runtime, [(api, path, one, query | {"limit": 3}) for one in (people[3], people[0])]
    )


async def test_hours_have_a_board_of_their_own(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    one, two = await make_person(runtime, "李一一"), await make_person(runtime, "周二二")
    await give_award(runtime, one, org, points=8, minutes=60)
    await give_award(runtime, two, org, points=2, minutes=240)
    taken = await give_award(runtime, two, org, points=2, minutes=30)
    await fed(runtime)
    query = {"org_id": str(org.id), "around": "me"}

    found = await _get(api, HOURS, one, **query)
    assert found["items"] == [
        {"rank": 1, "display_name": "周*二", "minutes": 270},
        {"rank": 2, "display_name": "李*一", "minutes": 60},
    ]
    assert found["me"] == {"rank": 2, "minutes": 60}
    assert [one["is_me"] for one in found["around"]] == [False, True]
    assert [one["points"] for one in (await board(api, org))["items"]] == [8, 4]

    admin = await make_administrator(runtime, org.id)
    assert (await reverse(api, admin, taken)).status_code == 201
    await fed(runtime)
    assert (await _get(api, HOURS, two, **query))["me"] == {"rank": 1, "minutes": 240}
    await _same_from_the_ledger(runtime, [(api, HOURS, one, query), (api, HOURS, None, query)])


async def _compared(
    api: httpx.AsyncClient, org: Org, **query: Any
) -> list[tuple[int, str, int, int, int]]:
    found = await _get(api, ORGS, org_id=str(org.id), **query)
    names = ("rank", "org_id", "total", "people", "per_person")
    return [tuple(one[name] for name in names) for one in found["items"]]


async def test_communities_are_compared_by_what_their_people_earned_together(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    district = await make_org(runtime, level=Level.district)
    streets = [await make_org(runtime, parent=district) for _ in range(2)]
    large, small, idle = [
        await make_org(runtime, parent=street, level=Level.community)
        for street in (streets[0], streets[1], streets[1])
    ]
    people = [await make_person(runtime) for _ in range(3)]
    for person in people:
        await give_award(runtime, person, large, points=4, minutes=30)
    eager = await give_award(runtime, people[0], small, points=8, days_ago=1)
    await fed(runtime)

    both = [(1, str(large.id), 12, 3, 4), (2, str(small.id), 8, 1, 8)]
    assert await _compared(api, district) == both
    assert await _compared(api, streets[1]) == [(1, str(small.id), 8, 1, 8)]
    assert await _compared(api, large) == []
    of_streets = await _compared(api, district, level="street")
    assert [(one[1], one[2]) for one in of_streets] == [
        (str(streets[0].id), 12),
        (str(streets[1].id), 8),
    ]
    assert await _compared(api, district, measure="minutes") == [(1, str(large.id), 90, 3, 30)]
    assert str(idle.id) not in {one[1] for one in both}

    admin = await make_administrator(runtime, district.id)
    assert (await reverse(api, admin, eager)).status_code == 201
    await fed(runtime)
    assert await _compared(api, district) == both[:1]
    query = {"org_id": str(district.id)}
    asked = [(api, ORGS, None, query | {"measure": one}) for one in ("points", "minutes")]
    await _same_from_the_ledger(runtime, asked)


async def test_who_is_erased_leaves_the_ranks_before_the_rebuild(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rebuild takes as long as the ledger is; here it never comes to an end."""
    org = await make_org(runtime)
    best, next_best = [await make_person(runtime) for _ in range(2)]
    await give_points(runtime, best.id, 30, org=org.id)
    await give_points(runtime, next_best.id, 20, org=org.id)
    await fed(runtime)
    assert (await board(api, org, next_best))["me"]["rank"] == 2

    async def never(*_: object) -> int:
        return 0

    assert (await api.delete(f"{API}/me", headers=keyed(best))).status_code == 200
    with travel(now() + TO_CHANGE_ONES_MIND + timedelta(minutes=1)):
        await closures.erase(runtime)
    monkeypatch.setattr(feeding, "rebuild", never)
    assert (await board(api, org, next_best))["me"]["rank"] == 2
    while await relay(runtime):
        pass
    found = await board(api, org, next_best, around="me")
    assert found["me"] == {"rank": 1, "points": 20}
    assert [(one["rank"], one["points"]) for one in found["around"]] == [(1, 20)]
