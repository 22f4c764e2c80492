"""Taking back what was given by mistake."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from app.core.clock import now
from app.jobs import expiry
from app.models.ledger import Purpose
from app.models.orgs import Level, Org
from app.runtime import Runtime
from tests.factories.awards import approve, give_award, propose, reverse
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, end_lot, end_lots, give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.factories.points import entries, points, refund, spend
from tests.factories.rewards import make_counter, make_overdue, make_reward, reserve

API = "/api/v1"


async def test_an_administrator_takes_back_an_award(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8, minutes=240)

    response = await reverse(api, administrator, award)

    assert response.status_code == 201
    body = response.json()
    assert (body["reverses_id"], body["points"], body["reason"]) == (str(award), 8, "录入错误")
    found = await points(api, person)
    assert (found["available"], found["minutes"], found["earned_total"]) == (0, 0, 0)
    newest = (await entries(api, person))[0]
    assert (newest["id"], newest["kind"], newest["direction"]) == (body["id"], "reversal", "out")
    await assert_ledger_verifies(runtime)


async def test_a_reversal_leaves_an_audit_entry_with_its_reason(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8)

    await reverse(api, administrator, award)

    asked = {"org_id": str(org.id), "subject_id": str(award)}
    reply = await api.get(f"{API}/audit", headers=administrator.headers, params=asked)
    (entry,) = reply.json()["items"]
    assert (entry["verb"], entry["from"], entry["to"]) == ("reversed", "available", "reversed")
    assert entry["reason"] == "录入错误"


async def test_an_administrator_above_may_reverse_too(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    person = await make_person(runtime)
    award = await give_award(runtime, person, org)

    response = await reverse(api, await make_administrator(runtime, street.id), award)

    assert response.status_code == 201


async def test_others_may_not_reverse(api: httpx.AsyncClient, runtime: Runtime) -> None:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    sibling = await make_org(runtime, parent=street, level=Level.community)
    person = await make_person(runtime)
    award = await give_award(runtime, person, org)

    by_sibling = await reverse(api, await make_administrator(runtime, sibling.id), award)
    by_resident = await reverse(api, person, award)
    by_organizer = await reverse(api, await make_organizer(runtime, org.id), award)

    assert_refused(by_sibling, 404, "ledger.transfer_not_found")
    assert_refused(by_resident, 403, "auth.forbidden")
    assert_refused(by_organizer, 403, "auth.forbidden")
    assert await balance(runtime, person.id) == 8


async def test_a_transfer_is_reversed_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org)
    await give_points(runtime, person.id, 100)

    first = await reverse(api, administrator, award, key="reverse-once")
    replay = await reverse(api, administrator, award, key="reverse-once")
    second = await reverse(api, administrator, award)

    assert (first.status_code, replay.status_code) == (201, 201)
    assert replay.json() == first.json()
    assert_refused(second, 409, "ledger.already_settled")
    assert await balance(runtime, person.id) == 100


async def test_spent_points_are_owed_and_paid_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8, minutes=240)
    await spend(api, runtime, person, 5)

    body = (await reverse(api, administrator, award)).json()

    assert (body["from_pending"], body["from_available"], body["owed"], body["lost"]) == (
        0,
        3,
        5,
        0,
    )
    after = await points(api, person)
    assert (after["available"], after["minutes"], after["owed"]) == (0, 0, 5)
    assert (after["earned_total"], after["spent_total"]) == (0, 5)
    await give_award(runtime, person, org, points=4)
    await give_award(runtime, person, org, rule_key="council_attend", points=2)
    later = await points(api, person)
    assert (later["available"], later["owed"]) == (1, 0)
    await assert_ledger_verifies(runtime)


async def test_no_more_than_fifty_points_are_owed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    awards = [
        await give_award(
            runtime, person, org, rule_key="taskforce_emergency", points=24, days_ago=n
        )
        for n in (4, 3, 2, 1)
    ]
    await spend(api, runtime, person, 96)

    owed = [(await reverse(api, administrator, award)).json() for award in awards]

    assert [(one["owed"], one["lost"]) for one in owed] == [(24, 0), (24, 0), (2, 22), (0, 24)]
    assert (await points(api, person))["owed"] == 50
    await assert_ledger_verifies(runtime)


async def test_a_reversal_takes_the_award_s_own_points_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Of two lots the one that it made is emptied, though the other expires sooner."""
    person, org = await make_person(runtime), await make_org(runtime)
    soon = now() + timedelta(days=5)
    await give_points(runtime, person.id, 5, expires_at=soon, org=org.id)
    award = await give_award(runtime, person, org, points=8)

    await reverse(api, await make_administrator(runtime, org.id), award)

    (left,) = (await points(api, person))["expiring"]
    assert (left["points"], datetime.fromisoformat(left["expires_at"])) == (5, soon)


async def test_what_expired_of_an_award_is_not_taken_twice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    swept = await give_award(runtime, person, org, points=4, days_ago=3)
    await end_lot(runtime, swept)
    await expiry.expire_lots(runtime)
    ended = await give_award(runtime, person, org, points=3, days_ago=2)
    await end_lot(runtime, ended)
    await give_award(runtime, person, org, points=2, days_ago=1)

    told = [(await reverse(api, administrator, award)).json() for award in (swept, ended)]

    parts = [(one["points"], one["from_available"], one["owed"], one["expired"]) for one in told]
    assert parts == [(4, 0, 0, 4), (3, 0, 0, 3)]
    after = await points(api, person)
    assert (after["available"], after["owed"]) == (2, 0)
    await expiry.expire_lots(runtime)
    assert await balance(runtime, person.id) == 2
    await assert_ledger_verifies(runtime)


async def test_what_came_back_and_expired_is_not_taken_twice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Spent, expired, given back twice: what expired of it was the award's each time."""
    person, org = await make_person(runtime), await make_org(runtime)
    counter = await make_counter(runtime)
    award = await give_award(runtime, person, org, points=8, days_ago=1)
    charges = [await spend(api, runtime, person, amount, counter) for amount in (4, 3)]
    await end_lots(runtime, person.id)
    await expiry.expire_lots(runtime)  # one of the eight
    await refund(api, counter, charges[0])
    again = await spend(api, runtime, person, 4, counter)
    await end_lots(runtime, person.id)
    await refund(api, counter, again)  # to a lot that lives on from one that had lived on
    await refund(api, counter, charges[1])
    await end_lots(runtime, person.id)
    await expiry.expire_lots(runtime)

    told = (await reverse(api, await make_administrator(runtime, org.id), award)).json()

    assert (told["from_available"], told["owed"], told["expired"]) == (0, 0, 8)
    assert (await points(api, person))["owed"] == 0
    await assert_ledger_verifies(runtime)


async def test_nobody_owes_more_than_was_spent(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """The first reversal takes the second award's points, for its own are put aside."""
    person, org = await make_person(runtime), await make_org(runtime)
    administrator, counter = await make_administrator(runtime, org.id), await make_counter(runtime)
    first = await give_award(runtime, person, org, points=8, days_ago=1)
    second = await give_award(runtime, person, org, points=8)
    charge = await spend(api, runtime, person, 8, counter)
    taken = (await reverse(api, administrator, first)).json()
    await refund(api, counter, charge)
    await end_lot(runtime, first)
    await expiry.expire_lots(runtime)

    told = (await reverse(api, administrator, second)).json()

    assert taken["from_available"] == 8
    parts = (told["from_available"], told["owed"], told["lost"], told["expired"])
    assert parts == (0, 0, 0, 8)
    assert (await points(api, person))["owed"] == 0
    await assert_ledger_verifies(runtime)


async def test_what_was_spent_of_awards_that_stand_is_nobodys_debt(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """As above, by somebody who has spent an honest award before."""
    person, org = await make_person(runtime), await make_org(runtime)
    administrator, counter = await make_administrator(runtime, org.id), await make_counter(runtime)
    await give_award(runtime, person, org, points=8, days_ago=2)
    await spend(api, runtime, person, 8, counter)
    first = await give_award(runtime, person, org, points=8, days_ago=1)
    second = await give_award(runtime, person, org, points=8)
    charge = await spend(api, runtime, person, 8, counter)
    await reverse(api, administrator, first)
    await refund(api, counter, charge)
    await end_lot(runtime, first)
    await expiry.expire_lots(runtime)

    told = (await reverse(api, administrator, second)).json()

    parts = (told["from_available"], told["owed"], told["lost"], told["expired"])
    assert parts == (0, 0, 0, 8)
    await assert_ledger_verifies(runtime)


async def test_an_award_that_stands_but_expired_pays_for_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    stands = await give_award(runtime, person, org, points=8, days_ago=1)
    await end_lot(runtime, stands)
    spent = await give_award(runtime, person, org, points=8)
    await spend(api, runtime, person, 8)

    told = (await reverse(api, administrator, spent)).json()

    assert (told["from_available"], told["owed"], told["expired"]) == (0, 8, 0)


async def test_what_was_paid_back_is_owed_again(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Eight were spent and none of the awards stands: what the second paid, it owes anew."""
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    first = await give_award(runtime, person, org, points=8, days_ago=1)
    await spend(api, runtime, person, 8)
    await reverse(api, administrator, first)
    second = await give_award(runtime, person, org, points=8)
    assert (await points(api, person))["owed"] == 0

    told = (await reverse(api, administrator, second)).json()

    assert (told["from_available"], told["owed"], told["expired"]) == (0, 8, 0)
    await assert_ledger_verifies(runtime)


async def test_a_reversal_takes_first_what_came_back_of_the_award(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    counter = await make_counter(runtime)
    award = await give_award(runtime, person, org, points=8)
    charge = await spend(api, runtime, person, 8, counter)
    await end_lots(runtime, person.id)
    await refund(api, counter, charge)
    soon = now() + timedelta(days=5)
    await give_points(runtime, person.id, 5, expires_at=soon, org=org.id)

    await reverse(api, await make_administrator(runtime, org.id), award)

    (left,) = (await points(api, person))["expiring"]
    assert (left["points"], datetime.fromisoformat(left["expires_at"])) == (5, soon)


async def test_what_nobody_collected_in_time_goes_back_before_anything_is_owed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    award = await give_award(runtime, person, org, points=8)
    reward = await make_reward(runtime, await make_counter(runtime), points=8)
    await make_overdue(runtime, (await reserve(runtime, person.id, reward)).id)

    told = (await reverse(api, await make_administrator(runtime, org.id), award)).json()

    assert (told["from_available"], told["owed"], told["lost"]) == (8, 0, 0)
    found = await points(api, person)
    assert (found["available"], found["held"], found["owed"]) == (0, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_an_award_is_taken_back_from_where_it_is(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    administrator = await make_administrator(runtime, org.id)
    pending, approved = await _pending_and_approved(api, organizer, administrator, org, person)

    first = await reverse(api, administrator, UUID(pending["id"]))
    second = await reverse(api, administrator, UUID(approved["id"]))

    assert (first.status_code, second.status_code) == (201, 201)
    assert await balance(runtime, person.id, Purpose.pending) == 0
    assert await balance(runtime, person.id) == 0
    await assert_ledger_verifies(runtime)


async def _pending_and_approved(
    api: httpx.AsyncClient,
    organizer: TestPerson,
    administrator: TestPerson,
    org: Org,
    person: TestPerson,
) -> tuple[dict[str, Any], dict[str, Any]]:
    case = {"rule_key": "council_submit", "evidence": {"case_no": "2026-17"}}
    repair = {"rule_key": "tool_repair", "evidence": {"acceptance": "合格"}}
    pending = (await propose(api, organizer, org, person, **case))[0]
    approved = (await propose(api, organizer, org, person, **repair))[0]
    assert (await approve(api, administrator, approved)).status_code == 200
    return pending, approved


async def test_a_reversed_award_frees_its_room_under_the_cap(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A mistake that was corrected must not cost the person the day's points."""
    person, org = await make_person(runtime), await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    administrator = await make_administrator(runtime, org.id)
    case = {"rule_key": "council_submit", "evidence": {"case_no": "2026-17"}}
    wrong = (await propose(api, organizer, org, person, **case))[0]
    await reverse(api, administrator, UUID(wrong["id"]))

    right = (await propose(api, organizer, org, person, **case))[0]

    assert (wrong["points"], right["points"]) == (3, 3)


async def test_an_award_of_hours_alone_is_taken_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Over a cap there are no points: then it is named by its id. Hours alone never go back."""
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    hours = await give_award(runtime, person, org, points=0, minutes=60)
    both = await give_award(runtime, person, org, points=2, minutes=60)

    done = await reverse(api, administrator, hours)
    of_hours = UUID(int=both.int ^ 1)
    points_alone = await give_award(runtime, person, org, points=1)

    assert done.status_code == 201, done.text
    assert (done.json()["points"], done.json()["from_available"]) == (0, 0)
    after = await points(api, person)
    assert (after["available"], after["minutes"]) == (3, 60)
    assert_refused(await reverse(api, administrator, hours), 409, "ledger.already_settled")
    assert_refused(await reverse(api, administrator, of_hours), 409, "ledger.not_reversible")
    unknown = UUID(int=points_alone.int ^ 1)
    assert_refused(await reverse(api, administrator, unknown), 404, "ledger.transfer_not_found")
    await assert_ledger_verifies(runtime)


async def test_a_reversed_award_is_not_approved(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = (await propose(api, await make_organizer(runtime, org.id), org, person))[0]
    await reverse(api, administrator, UUID(award["id"]))

    response = await approve(api, administrator, award)

    assert_refused(response, 409, "awards.not_pending")
    assert await balance(runtime, person.id) == 0


async def test_only_an_award_is_reversed_here(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    administrator, person = await make_administrator(runtime, org.id), await make_person(runtime)
    await give_points(runtime, person.id, 20)
    reward = await make_reward(runtime, await make_counter(runtime, org=org))
    held = await api.post(
        f"{API}/redemptions",
        headers=keyed(person),
        json={"reward_id": str(reward.id), "quantity": 1},
    )

    response = await reverse(api, administrator, UUID(held.json()["id"]))

    assert_refused(response, 409, "ledger.not_reversible")
    assert await balance(runtime, person.id, Purpose.held) == 10


async def test_an_unknown_transfer_is_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)

    response = await reverse(api, administrator, uuid4())

    assert_refused(response, 404, "ledger.transfer_not_found")
