"""The passbook's screen: what each entry is about, and what the caps leave."""

from typing import Any

import httpx

from app.models.orgs import Level
from app.runtime import Runtime
from app.services.policies import publishing
from tests.factories.activities import current_code, make_attended
from tests.factories.awards import give_award
from tests.factories.http import keyed
from tests.factories.orgs import make_org
from tests.factories.people import make_person
from tests.factories.points import entries, points, spend
from tests.factories.rewards import make_counter, make_reward

API = "/api/v1"
STRICTER = "[caps]\nday = 20\n"


async def test_each_entry_says_what_it_is_about(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    await give_award(runtime, person, org, points=8, minutes=90, days_ago=1)
    activity = await make_attended(runtime, person, rule_key="activity_checkin", title="读书会")
    body = {"code": current_code(runtime, activity)}
    counted = await api.post(f"{API}/checkins", headers=keyed(person), json=body)
    assert counted.status_code == 201, counted.text
    counter = await make_counter(runtime)
    await spend(api, runtime, person, 1, counter)
    reward = await make_reward(runtime, counter, points=2)
    reserved = {"reward_id": str(reward.id), "quantity": 1}
    await api.post(f"{API}/redemptions", headers=keyed(person), json=reserved)

    def about(one: dict[str, Any]) -> tuple[Any, ...]:
        return one["kind"], one["title"], one["activity_id"], one["merchant_name"]

    found = await entries(api, person)
    assert [about(one) for one in found] == [
        ("hold", "香皂", None, "测试商户"),
        ("charge", "测试商户", None, "测试商户"),
        ("award", "读书会", str(activity.id), None),
        ("award", "测试发放", None, None),
    ]
    filtered = await entries(api, person, kind=["hold", "charge", "award"])
    assert filtered == found
    hours = await entries(api, person, unit="minutes")
    assert [(one["points"], one["title"]) for one in hours] == [(90, "测试发放")]


async def test_the_caps_at_home_say_what_can_still_be_earned(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, home = await make_person(runtime), await make_org(runtime, level=Level.community)
    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, STRICTER, org=home)
    await give_award(runtime, person, home, points=6)

    def overall(found: dict[str, Any]) -> list[tuple[Any, ...]]:
        caps = found["caps_left"]["overall"]
        return [(one["period"], one["limit"], one["used"], one["left"]) for one in caps]

    anywhere = await points(api, person)
    assert overall(anywhere) == [("month", 150, 6, 144), ("year", 800, 6, 794), ("day", 24, 6, 18)]
    profile = {"display_name": "四", "community_id": str(home.id)}
    assert (await api.put(f"{API}/me", headers=person.headers, json=profile)).is_success
    at_home = await points(api, person)
    assert overall(at_home)[-1] == ("day", 20, 6, 14)
    rules = {one["rule_key"]: one["caps"] for one in at_home["caps_left"]["rules"]}
    assert [(one["period"], one["left"]) for one in rules["volunteer_hour"]] == [
        ("day", 2),
        ("month", 54),
    ]
    assert at_home["caps_left"]["emergency_day"]["left"] == 42
    path = f"{API}/me/points"
    hours = await api.get(path, headers=person.headers, params={"unit": "minutes"})
    assert hours.json()["caps_left"] is None
