"""Friends: named at the door, at most as many as were signed up."""

from typing import Any

import httpx

from app.core.clock import now
from app.models.activities import Activity
from app.models.people import Role
from app.runtime import Runtime
from app.services import signups
from app.services.signups import Claim, Claimed
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person, make_with_role
from tests.factories.presences import come, only_checkin
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation    rule    nobody alice bob  counter rival sibling parent auditor admin outsider
nameFriends  person  401    200+  404  404     404   404     200+   404     200+  404       404=corrections.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {"signups.too_many_friends"}
API = "/api/v1"


async def _hosted(runtime: Runtime, host: TestPerson, **activity: Any) -> tuple[Activity, str]:
    """Check a person in who signed up with two friends; return the activity and the check-in."""
    made = await make_activity(runtime, signup_terms={"friends": 3}, **activity)
    async with runtime.database.transaction() as tx:
        [claimed] = await signups.claim(tx, [Claim(made.id, host.id, friends=2)], now())
    assert isinstance(claimed, Claimed)
    await come(runtime, made, host)
    return made, await only_checkin(runtime, made)


async def _named(world: World) -> Ask:
    _, checkin = await _hosted(world.runtime, world.alice, org=world.home)
    return Ask({"checkin_id": checkin}, {"names": ["李小梅"]})


REQUESTS = {"nameFriends": _named}


async def known(setup: Setup) -> Known:
    _, checkin = await _hosted(setup.runtime, setup.caller, org=setup.org)
    return {"checkin_id": [checkin]}


async def test_friends_are_named_once_they_are_there(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, host = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    activity, checkin = await _hosted(runtime, host, org=org)
    path = f"{API}/checkins/{checkin}/friends"

    first = await api.put(path, headers=host.headers, json={"names": ["李小梅"]})
    second = await api.put(path, headers=organizer.headers, json={"names": ["李小梅", "王强"]})

    three = {"names": ["李小梅", "王强", "赵敏"]}
    refused = await api.put(path, headers=host.headers, json=three)

    assert_refused(refused, 409, "signups.too_many_friends")
    assert refused.json()["facts"] == {"limit": 2}
    assert (first.status_code, first.json()["limit"]) == (200, 2)
    assert second.json()["names"] == ["李小梅", "王强"]
    lists = f"{API}/activities/{activity.id}"
    for listed in ("checkins", "signups"):
        for one, names in ((organizer, "李小梅、王强"), (auditor, "李*梅、*强")):
            [row] = (await api.get(f"{lists}/{listed}", headers=one.headers)).json()["items"]
            assert row["friend_names"] == names
    live = (await api.get(f"{lists}/live", headers=organizer.headers)).json()
    assert [one["friend_names"] for one in live["arrivals"]] == ["李小梅、王强"]
    annul = f"{API}/checkins/{checkin}/annulment"
    assert (await api.post(annul, headers=keyed(organizer), json={"reason": "代签"})).is_success
    gone = await api.put(path, headers=host.headers, json={"names": []})
    assert_refused(gone, 404, "corrections.not_found")
    await assert_ledger_verifies(runtime)
