"""Caps and review: what waits for reviewers fills no cap, and is cut when it is approved."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.models.ledger import Purpose
from app.models.orgs import Org
from app.runtime import Runtime
from app.services.awards import cutting
from app.services.policies import publishing
from tests.factories.activities import current_code, make_attended
from tests.factories.awards import (
    approve,
    award_body,
    end_notices,
    give_award,
    propose,
    reject,
    reverse,
)
from tests.factories.http import keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
)

AWARDS = "/api/v1/awards"
PLACEMENT = {  # 20 points: two reviewers
    "rule_key": "student_placement",
    "evidence": {"log": "三十日日志", "mentor_grade": "优"},
}
# 40 points, of which the cap of all rules together leaves nobody more than 24 a day.
LEADER = {
    "rule_key": "project_close",
    "grade": "leader",
    "evidence": {"acceptance_report": "合格"},
}
REGISTERED = {"rule_key": "register_realname", "evidence": {"grid_confirm": "已确认"}}


def case() -> dict[str, Any]:
    return {"rule_key": "council_submit", "evidence": {"case_no": uuid4().hex}}


async def points(api: httpx.AsyncClient, person: TestPerson) -> tuple[int, int, int]:
    body = (await api.get("/api/v1/me/points", headers=person.headers)).json()
    return body["available"], body["pending"], body["minutes"]


async def proposed(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, person: TestPerson, **rule: Any
) -> dict[str, Any]:
    """Propose for one person; return the item of the reply."""
    body = award_body(org, [person], **rule)
    response = await api.post(AWARDS, headers=keyed(organizer), json=body)
    assert response.status_code == 201, response.text
    item: dict[str, Any] = response.json()["items"][0]
    return item


async def test_a_proposal_keeps_nothing_back_from_a_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The proposal fills the whole day; if it is rejected, nobody could give the points back."""
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    [award] = await propose(api, organizer, org, person, **LEADER)
    assert (award["points"], award["reason"]) == (24, "已达每日总上限")
    activity = await make_attended(runtime, person, hours=2)

    code = {"code": current_code(runtime, activity)}
    scanned = await api.post("/api/v1/checkins", headers=person.headers, json=code)
    rejected = await reject(api, reviewer, award)

    assert scanned.json()["award"]["points"] == 4
    assert rejected.status_code == 200
    assert await points(api, person) == (4, 0, 120)
    await assert_ledger_verifies(runtime)


async def test_what_is_approved_is_cut_to_what_is_left_in_the_order_of_approval(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    first, second, third = [(await propose(api, organizer, org, person))[0]["id"] for _ in range(3)]
    assert await points(api, person) == (0, 45, 0)

    told = [(await approve(api, reviewer, {"id": one})).json() for one in (third, first, second)]

    assert [(one["points"], one["state"]) for one in told] == [
        *((15, "notice"), (9, "notice"), (0, "notice")),
    ]
    assert [one["reason"] for one in told[1:]] == ["已达每日总上限"] * 2
    assert await points(api, person) == (0, 24, 0)
    assert await balance(runtime, org.id, Purpose.fund) == -24, "the rest is back in the fund"
    await assert_ledger_verifies(runtime)
    await end_notices(runtime)
    assert await points(api, person) == (24, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_who_proposes_is_told_what_the_caps_leave(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    await give_award(runtime, person, org, rule_key="commendation", points=15)

    first = await proposed(api, organizer, org, person)
    again = await proposed(api, organizer, org, person)
    row = {"person_id": str(person.id), "evidence": award_body(org, [])["evidence"]}
    batch = {"rule_key": "commendation", "org_id": str(org.id), "rows": [row]}
    response = await api.post(f"{AWARDS}/batches", headers=keyed(organizer), json=batch)

    for item in (first, again, response.json()["rows"][0]):
        assert (item["award"]["points"], item["points_if_approved_now"]) == (15, 9)


async def test_nobody_waits_for_more_than_the_caps_leave_to_anybody(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """council_submit: 3 points an item, at most 3 a day."""
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)

    [double] = await propose(api, organizer, org, person, quantity=2, **case())

    assert (double["points"], double["reason"]) == (3, "已达本规则每日上限")
    assert await points(api, person) == (0, 3, 0)


async def test_an_award_of_nothing_goes_the_same_way(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    awards = [(await propose(api, organizer, org, person, **case()))[0] for _ in "ab"]

    replies = [(await approve(api, reviewer, one)).json() for one in awards]

    assert [(one["points"], one["state"]) for one in replies] == [(3, "notice"), (0, "notice")]
    await assert_ledger_verifies(runtime)
    await end_notices(runtime)
    assert await points(api, person) == (3, 0, 0)
    administrator = await make_administrator(runtime, org.id)
    taken = await reverse(api, administrator, awards[1]["id"])
    assert (taken.status_code, taken.json()["points"]) == (201, 0)
    await assert_ledger_verifies(runtime)


async def test_the_cap_does_not_spare_the_second_reviewer(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """What it would have been counts, or a large award could hide behind a full day."""
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, first = [await make_organizer(runtime, org.id) for _ in "ab"]
    await give_award(runtime, person, org, rule_key="commendation", points=15)
    item = await proposed(api, organizer, org, person, **PLACEMENT)
    assert item["points_if_approved_now"] == 9

    assert (await approve(api, first, item["award"])).json()["state"] == "pending"


async def test_what_is_given_once_goes_to_who_is_approved_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, elsewhere = [await make_org(runtime) for _ in "ab"]
    person = await make_person(runtime)
    both = []
    for place in (org, elsewhere):
        organizer = await make_organizer(runtime, place.id)
        both += await propose(api, organizer, place, person, **REGISTERED)
    reviewers = [await make_organizer(runtime, place.id) for place in (org, elsewhere)]

    later = (await approve(api, reviewers[1], both[1])).json()
    first = (await approve(api, reviewers[0], both[0])).json()

    assert (later["points"], later["reason"]) == (5, "按规则足额计分")
    assert (first["points"], first["reason"]) == (0, "该项积分已领取过")


async def test_an_award_counts_on_the_day_on_which_it_was_given(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Whoever approves later cannot move it to a day that is still empty."""
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    [award] = await propose(api, organizer, org, person)
    async with runtime.database.transaction() as tx:
        moved = {"id": award["id"], "at": now() - timedelta(days=1)}
        query = text("UPDATE awards SET awarded_at = :at WHERE id = :id")
        await tx.execute(query, moved)
    await give_award(runtime, person, org, rule_key="commendation", points=15, days_ago=1)
    await give_award(runtime, person, org, rule_key="commendation", points=20)

    response = await approve(api, reviewer, award)

    assert response.json()["points"] == 9


async def test_what_is_cut_goes_back_to_the_fund_that_paid(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Also where it is released at once, without a public notice."""
    org, person = await make_org(runtime), await make_person(runtime)
    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, "[release.manual]\nreviewers = 2", org=org)
    organizer, *reviewers = [await make_organizer(runtime, org.id) for _ in "abc"]
    hours = {"rule_key": "volunteer_hour", "quantity": 2, "evidence": {}}
    awards = [(await propose(api, organizer, org, person, **hours))[0] for _ in range(3)]
    for award in awards:
        for reviewer in reviewers:
            assert (await approve(api, reviewer, award)).status_code == 200
    await end_notices(runtime)

    assert await points(api, person) == (8, 0, 360), "hours are never cut"
    await assert_ledger_verifies(runtime)


async def test_control_of_the_cut(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it two proposals of one day are paid in full, over the cap."""

    async def uncut(_tx: object, award: Any) -> tuple[int, str]:
        return award.points, award.reason

    monkeypatch.setattr(cutting, "_left", uncut)
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    for _ in "ab":
        [award] = await propose(api, organizer, org, person)
        await approve(api, reviewer, award)
    assert await points(api, person) == (0, 30, 0)
