"""Nobody is paid by an act of her own: who organizes an activity, and rules that ask for more."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.clock import now
from app.jobs import funds
from app.jobs.outbox import relay
from app.models.activities import Activity, ActivityStatus
from app.models.orgs import Org
from app.queries import activities as activity_queries
from app.queries.awards import granting as granting_queries
from app.runtime import Runtime
from tests.factories.activities import activity_body, current_code, make_activity, sign_up
from tests.factories.awards import approve, give_award, reject, reverse
from tests.factories.funds import make_limited, receive
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.routers.test_audit import entries

API = "/api/v1"
EMERGENCY = "taskforce_emergency"


async def points_of(api: httpx.AsyncClient, person: TestPerson) -> tuple[int, int, int]:
    body = (await api.get(f"{API}/me/points", headers=person.headers)).json()
    return body["available"], body["pending"], body["minutes"]


async def attend(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, activity: Activity
) -> dict[str, Any]:
    """Sign up and check in; return the award."""
    await sign_up(runtime, activity, person)
    code = {"code": current_code(runtime, activity)}
    response = await api.post(f"{API}/checkins", headers=person.headers, json=code)
    assert response.status_code == 201, response.text
    award: dict[str, Any] = response.json()["award"]
    return award


async def drafts(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, organizer: TestPerson
) -> Activity:
    starts_at = now() + timedelta(minutes=1)
    ends_at = starts_at + timedelta(hours=2)
    body = activity_body(org, starts_at=starts_at.isoformat(), ends_at=ends_at.isoformat())
    made = await api.post(f"{API}/activities", headers=keyed(organizer), json=body)
    path = f"{API}/activities/{made.json()['id']}/publish"
    await api.post(path, headers=keyed(await make_organizer(runtime, org.id)))
    async with runtime.database.read() as tx:
        found = await activity_queries.find(tx, UUID(made.json()["id"]))
    assert found is not None
    return found


async def publishes(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, organizer: TestPerson
) -> Activity:
    activity = await make_activity(runtime, org=org, status=ActivityStatus.draft)
    path = f"{API}/activities/{activity.id}/publish"
    assert (await api.post(path, headers=keyed(organizer))).status_code == 200
    return activity


async def shows(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, organizer: TestPerson
) -> Activity:
    activity = await make_activity(runtime, org=org)
    for _ in "ab":  # a screen fetches the next code every 15 s
        path = f"{API}/activities/{activity.id}/checkin-code"
        assert (await api.get(path, headers=organizer.headers)).status_code == 200
    return activity


async def shows_picture(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, organizer: TestPerson
) -> Activity:
    activity = await make_activity(runtime, org=org)
    path = f"{API}/activities/{activity.id}/checkin-code.svg"
    assert (await api.get(path, headers=organizer.headers)).status_code == 200
    return activity


@pytest.mark.parametrize("act", [drafts, publishes, shows, shows_picture])
async def test_an_organizer_waits_for_another_one(
    api: httpx.AsyncClient, runtime: Runtime, act: Callable[..., Awaitable[Activity]]
) -> None:
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    activity = await act(api, runtime, org, organizer)

    award = await attend(api, runtime, organizer, activity)

    assert (award["points"], award["minutes"], award["state"]) == (4, 120, "pending")
    assert await points_of(api, organizer) == (0, 4, 120), "the hours count at once"
    assert_refused(await approve(api, organizer, award), 403, "awards.own_award")
    await assert_ledger_verifies(runtime)
    assert (await approve(api, other, award)).json()["state"] == "available"
    assert await points_of(api, organizer) == (4, 0, 120)
    await assert_ledger_verifies(runtime)


async def test_hours_whose_points_the_caps_took_are_told_without_points(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    award = await attend(api, runtime, organizer, await shows(api, runtime, org, organizer))
    for _ in "ab":  # 24 points: the most of a day
        await give_award(runtime, organizer, org, rule_key="commendation", points=15)

    approved = await approve(api, other, award)

    assert (approved.json()["points"], approved.json()["state"]) == (0, "available")
    assert await points_of(api, organizer) == (24, 0, 120)
    [notice] = await inbox(api, runtime, organizer)
    assert notice["kind"] == "award_without_points"
    assert notice["text"].endswith("已通过审核，按积分上限不计积分，服务时长照计。")


@pytest.mark.parametrize("points", [None, 3])
async def test_an_own_award_is_reversed_by_somebody_else(
    api: httpx.AsyncClient, runtime: Runtime, points: int | None
) -> None:
    org = await make_org(runtime)
    owner, other = [await make_administrator(runtime, org.id) for _ in "ab"]
    award = await give_award(runtime, owner, org, points=8)
    path = f"{API}/ledger/transfers/{award}/reversal"
    body = {"reason": "录入错误"} | ({"points": points} if points else {})

    own, done = [await api.post(path, headers=keyed(one), json=body) for one in (owner, other)]

    assert_refused(own, 403, "awards.own_award")
    assert (done.status_code, done.json()["points"]) == (201, points or 8)
    assert await points_of(api, owner) == (8 - (points or 8), 0, 0)
    await assert_ledger_verifies(runtime)


async def test_who_has_no_part_in_it_is_paid_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Organizers attend activities of others as everybody does."""
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    activity = await shows(api, runtime, org, organizer)

    award = await attend(api, runtime, other, activity)

    assert award["state"] == "available"


async def test_a_check_in_tells_what_waits_and_again_the_same(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await shows(api, runtime, org, organizer)
    await sign_up(runtime, activity, organizer)
    code = {"code": current_code(runtime, activity)}

    first, again = [
        await api.post(f"{API}/checkins", headers=organizer.headers, json=code) for _ in "ab"
    ]

    assert first.json()["points"] == {"available": 0, "pending": 4}
    assert again.json() == first.json()


async def test_the_first_look_at_a_code_is_on_record(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, administrator = (
        await make_organizer(runtime, org.id),
        await make_administrator(runtime, org.id),
    )
    await shows(api, runtime, org, organizer)
    assert [one["verb"] for one in await entries(api, administrator, org)] == ["code_shown"]


@pytest.mark.parametrize("how", ["rejected", "reversed"])
async def test_the_hours_go_back_with_the_points(
    api: httpx.AsyncClient, runtime: Runtime, how: str
) -> None:
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    award = await attend(api, runtime, organizer, await shows(api, runtime, org, organizer))

    if how == "rejected":
        assert (await reject(api, other, award)).status_code == 200
    else:
        administrator = await make_administrator(runtime, org.id)
        assert (await reverse(api, administrator, award["id"])).status_code == 201

    assert await points_of(api, organizer) == (0, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_a_limited_fund_pays_into_what_waits(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_limited(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    award = await attend(api, runtime, organizer, await shows(api, runtime, org, organizer))
    assert award["state"] == "pending_budget"
    assert await points_of(api, organizer) == (0, 0, 120)
    await assert_ledger_verifies(runtime)

    await receive(runtime, org, 4)
    await funds.pay(runtime)

    assert await points_of(api, organizer) == (0, 4, 120)
    assert (await approve(api, other, award)).json()["state"] == "available"
    await assert_ledger_verifies(runtime)


async def emergency(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, *people: TestPerson
) -> tuple[Activity, list[str]]:
    """Let people attend six hours of a rule that asks for a number and two reviewers."""
    creator = await make_organizer(runtime, org.id)
    activity = await make_activity(
        runtime, org=org, rule_key=EMERGENCY, hours=6, created_by=creator.id
    )
    awards = [await attend(api, runtime, one, activity) for one in people]
    assert {(one["points"], one["minutes"], one["state"]) for one in awards} == {
        (24, 360, "pending")
    }
    return activity, [one["id"] for one in awards]


async def add(
    api: httpx.AsyncClient, organizer: TestPerson, awards: list[str], **evidence: str
) -> httpx.Response:
    body = {"award_ids": awards, "evidence": evidence}
    return await api.post(f"{API}/awards/evidence", headers=keyed(organizer), json=body)


async def approve_all(
    api: httpx.AsyncClient, reviewer: TestPerson, awards: list[str]
) -> httpx.Response:
    body = {"award_ids": awards}
    return await api.post(f"{API}/awards/approvals", headers=keyed(reviewer), json=body)


async def test_a_rule_keeps_its_evidence_and_its_reviewers_when_attendance_pays(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, people = await make_org(runtime), await make_people(runtime, 3)
    first, second = [await make_organizer(runtime, org.id) for _ in "ab"]
    _, awards = await emergency(api, runtime, org, *people)
    assert await points_of(api, people[0]) == (0, 24, 360)
    await assert_ledger_verifies(runtime)

    early = await approve_all(api, first, awards)
    assert_refused(early, 409, "awards.evidence_missing")
    assert [one["field"] for one in early.json()["errors"]] == ["body.award_ids.0"]
    added = await add(api, first, awards, dispatch_no=uuid4().hex)
    assert added.status_code == 200, added.text
    once, twice = [await approve_all(api, one, awards) for one in (first, second)]

    assert {one["state"] for one in once.json()["items"]} == {"pending"}
    assert {one["state"] for one in twice.json()["items"]} == {"available"}
    assert await points_of(api, people[2]) == (24, 0, 360)
    await assert_ledger_verifies(runtime)


async def test_who_drafted_it_proposes_what_its_rule_must_review(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(
        runtime, org=org, rule_key=EMERGENCY, hours=6, created_by=organizer.id
    )
    award = await attend(api, runtime, person, activity)

    added = await add(api, organizer, [award["id"]], dispatch_no=uuid4().hex)

    assert added.status_code == 200
    assert_refused(await approve(api, organizer, award), 403, "awards.own_proposal")
    again = await add(api, organizer, [award["id"]], dispatch_no=uuid4().hex)
    assert_refused(again, 409, "awards.evidence_there")


async def test_a_dispatch_is_shared_by_all_who_attended_and_by_nobody_else(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, people = await make_org(runtime), await make_people(runtime, 3)
    organizer, number = await make_organizer(runtime, org.id), uuid4().hex
    _, (first, late) = await emergency(api, runtime, org, *people[:2])
    _, [elsewhere] = await emergency(api, runtime, org, people[2])

    replies = [
        await add(api, organizer, [one], dispatch_no=number) for one in (first, late, elsewhere)
    ]

    assert [one.status_code for one in replies[:2]] == [200, 200]
    assert_refused(replies[2], 409, "awards.number_used")
    missing = await add(api, organizer, [elsewhere], another="x")
    assert_refused(missing, 422, "request.invalid")
    assert [one["field"] for one in missing.json()["errors"]] == ["body.evidence.dispatch_no"]


async def test_evidence_is_of_awards_that_wait_and_of_others(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    _, [mine, theirs] = await emergency(api, runtime, org, organizer, await make_person(runtime))

    own = await add(api, organizer, [mine], dispatch_no=uuid4().hex)
    nothing = await add(api, organizer, [str(uuid4())], dispatch_no=uuid4().hex)
    await reject(api, other, {"id": theirs})
    late = await add(api, organizer, [theirs], dispatch_no=uuid4().hex)

    assert_refused(own, 403, "awards.own_award")
    assert_refused(nothing, 404, "awards.not_found")
    assert_refused(late, 409, "awards.not_pending")
    assert late.json()["facts"] == {"status": "rejected"}


async def test_of_several_approvals_all_count_or_none(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, people = await make_org(runtime), await make_people(runtime, 2)
    first = await make_organizer(runtime, org.id)
    _, awards = await emergency(api, runtime, org, *people)
    await add(api, first, awards[:1], dispatch_no=uuid4().hex)

    refused = await approve_all(api, first, awards)

    assert_refused(refused, 409, "awards.evidence_missing")
    assert [one["field"] for one in refused.json()["errors"]] == ["body.award_ids.1"]
    assert (await approve_all(api, first, awards[:1])).status_code == 200, "nothing was noted"


async def test_reviewers_are_told_that_attendance_waits_for_them(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, people = await make_org(runtime), await make_people(runtime, 2)
    reviewer = await make_organizer(runtime, org.id)
    await emergency(api, runtime, org, *people)
    await relay(runtime)
    [notice] = await inbox(api, runtime, reviewer)
    assert notice["kind"] == "proposals_waiting"
    assert "2" in notice["text"]


async def test_control_of_the_rule_that_asks_for_more(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """By a rule that attendance alone meets, everybody else is paid at once."""
    org, person = await make_org(runtime), await make_person(runtime)
    award = await attend(api, runtime, person, await make_activity(runtime, org=org))
    assert award["state"] == "available"
    async with runtime.database.read() as tx:
        found = await granting_queries.find(tx, UUID(award["id"]))
    assert found is not None
    assert (found.proposed_by, found.proposal_id, found.reviews_needed) == (None, None, 0)
