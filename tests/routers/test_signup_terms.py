"""Terms of sign-up: friends, the deadline to cancel, who is eligible, what an edit changes."""

from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine

from app.core.clock import local_date, now, years_before
from app.models.consents import ConsentDocument
from app.models.orgs import Level
from app.queries import eligibility as eligibility_queries
from app.queries.awards import granting as granting_queries
from app.runtime import Runtime
from app.schemas.eligibility import EligibilityIn
from tests.factories.activities import activity_body, edit, edit_body, make_activity, sign_up
from tests.factories.awards import give_award
from tests.factories.clock import noon
from tests.factories.consents import agree
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_people, make_person
from tests.factories.signup_terms import (
    cancel_by,
    counters,
    describe,
    make_sessions,
    sign_up_by,
)

API = "/api/v1"
FRIENDS = {"friends": 2}


async def test_each_friend_takes_a_place_and_nobody_overtakes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, capacity=4, signup_terms=FRIENDS)
    one, two, three, four = await make_people(runtime, 4)

    made = [
        (await sign_up_by(api, activity, who, friends=n)).json()
        for who, n in ((one, 2), (two, 2), (three, 0))
    ]
    assert [(s["status"], s["friends"], s["position"]) for s in made] == [
        ("confirmed", 2, None),
        ("waitlisted", 2, 1),  # one place is free, three are needed
        ("waitlisted", 0, 2),
    ]
    assert await counters(runtime, activity) == [(3, 2)]
    refused = await sign_up_by(api, activity, four, friends=3)
    assert_refused(refused, 409, "signups.too_many_friends")
    assert refused.json()["facts"] == {"limit": 2}
    await sign_up_by(api, activity, four, friends=1)

    await cancel_by(api, one, made[0]["id"])

    assert await counters(runtime, activity) == [(4, 1)]
    states = [(await walk(api, f"{API}/me/signups", w.headers))[0] for w in (two, three, four)]
    assert [(s["status"], s["position"]) for s in states] == [
        ("confirmed", None),
        ("confirmed", None),
        ("waitlisted", 1),
    ]
    small = await make_sessions(runtime, 2, signup_terms=FRIENDS)
    tight = await sign_up_by(api, small, one, session=1, friends=2)
    assert tight.json()["facts"] == {"limit": 1}
    alone = await sign_up_by(api, await make_activity(runtime), one, friends=1)
    assert_refused(alone, 409, "signups.too_many_friends")
    await assert_ledger_verifies(runtime)


async def test_fewer_places_move_whole_groups_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org, capacity=5, signup_terms=FRIENDS)
    one, two = await make_people(runtime, 2)
    for who in (one, two):
        await sign_up_by(api, activity, who, friends=1)

    body = edit_body(activity, capacity=3, waitlist_latest=True, signup_terms=FRIENDS)
    assert (await edit(api, organizer, activity, body)).status_code == 200

    assert await counters(runtime, activity) == [(2, 1)]
    assert (await walk(api, f"{API}/me/signups", two.headers))[0]["position"] == 1
    await assert_ledger_verifies(runtime)


async def test_a_place_is_given_back_until_the_deadline(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(
        runtime,
        org=org,
        starts_at=now() + timedelta(minutes=14),
        signup_terms={"cancel_until_minutes": 10},
    )
    first, second = await make_people(runtime, 2)
    made = [(await sign_up_by(api, activity, one)).json()["id"] for one in (first, second)]
    deadline = activity.starts_at - timedelta(minutes=10)

    with time_machine.travel(deadline - timedelta(seconds=1), tick=False):
        assert (await cancel_by(api, first, made[0])).status_code == 204
    with time_machine.travel(deadline, tick=False):
        late = await cancel_by(api, second, made[1])
        path = f"{API}/signups/{made[1]}/removal"
        removed = await api.post(path, headers=keyed(organizer), json={"reason": "满员"})
    assert_refused(late, 409, "signups.too_late_to_cancel")
    assert datetime.fromisoformat(late.json()["facts"]["closes_at"]) == deadline
    assert removed.status_code == 200, "an organizer may until the start"


TODAY = local_date(noon())


@pytest.mark.parametrize(
    ("demand", "person", "rule", "wanted", "seen"),
    [
        (
            {"min_age": 18},
            {"birth_date": years_before(TODAY, 18) + timedelta(days=1)},
            "min_age",
            "18",
            "17",
        ),
        ({"min_age": 18}, {"birth_date": years_before(TODAY, 18)}, None, None, None),
        ({"min_age": 18}, {}, "min_age", "18", "unknown"),
        ({"max_age": 35}, {"birth_date": years_before(TODAY, 36)}, "max_age", "35", "36"),
        ({"max_age": 35}, {"birth_year": TODAY.year - 36}, None, None, None),  # its last day
        (
            {"minors_need_consent": True},
            {"birth_date": years_before(TODAY, 17)},
            "guardian_consent",
            "guardian_consent",
            "unknown",
        ),
        ({"minors_need_consent": True}, {"birth_date": years_before(TODAY, 18)}, None, None, None),
        (
            {},
            {"birth_date": years_before(TODAY, 13)},
            "guardian_consent",
            "guardian_consent",
            "unknown",
        ),
        ({}, {"birth_date": years_before(TODAY, 14)}, None, None, None),
        ({"tiers": ["growth", "peak"]}, {}, "tiers", "growth, peak", "sprout"),
        ({"tiers": ["sprout"]}, {}, None, None, None),
    ],
)
@pytest.mark.usefixtures("at_noon")
async def test_the_refusal_names_the_rule_and_what_was_seen(
    api: httpx.AsyncClient,
    runtime: Runtime,
    demand: dict[str, Any],
    person: dict[str, date],
    rule: str | None,
    wanted: str | None,
    seen: str | None,
) -> None:
    activity = await make_activity(runtime, eligibility=demand) if demand else None
    activity = activity or await make_activity(runtime)
    who = await make_person(runtime)
    await describe(runtime, who, **person)

    read = (await api.get(f"{API}/activities/{activity.id}", headers=who.headers)).json()["mine"]
    tried = await sign_up_by(api, activity, who)

    if rule is None:
        assert (tried.status_code, read["may_sign_up"]) == (201, True)
        return
    assert_refused(tried, 403, "signups.not_eligible")
    assert tried.json()["facts"] == {"rule": rule, "wanted": wanted, "seen": seen}
    if demand:
        assert read["reason"]["facts"] == tried.json()["facts"]


async def test_a_guardian_who_agrees_lets_a_child_sign_up(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    child = await make_person(runtime)
    await describe(runtime, child, birth_date=years_before(local_date(now()), 10))
    activity = await make_activity(runtime, eligibility={"minors_need_consent": True})
    assert_refused(await sign_up_by(api, activity, child), 403, "signups.not_eligible")
    await agree(api, child, ConsentDocument.guardian)
    assert (await sign_up_by(api, activity, child)).status_code == 201


async def test_only_who_lives_in_the_subtree_or_has_the_tier(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    near = await make_org(runtime, parent=street, level=Level.community)
    far = await make_org(runtime, level=Level.community)
    activity = await make_activity(runtime, eligibility={"org_id": str(street.id)})
    here, there, nowhere = await make_people(runtime, 3)
    await describe(runtime, here, community_id=near.id)
    await describe(runtime, there, community_id=far.id)

    assert (await sign_up_by(api, activity, here)).status_code == 201
    for who, seen in ((there, far.name), (nowhere, "unknown")):
        refused = await sign_up_by(api, activity, who)
        assert_refused(refused, 403, "signups.not_eligible")
        assert refused.json()["facts"] == {"rule": "org", "wanted": street.name, "seen": seen}

    await give_award(runtime, here, near, minutes=60)
    since = now() - timedelta(days=1)
    async with runtime.database.read() as tx:
        summed = await eligibility_queries.earned(tx, [here.id, there.id], since)
        [(key, value)] = summed.items()
        assert value == await granting_queries.totals(tx, *key, since)
    assert key[0] == here.id, "the tier is reckoned as the card's"
    assert min(value) > 0


async def test_terms_are_written_read_copied_and_cleared(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    terms = {"needs_approval": True, "offer_minutes": 30, "friends": 1}
    eligibility = {"min_age": 14, "tiers": ["growth"], "org_id": str(org.id)}
    path = f"{API}/activities"

    async def draft(**changes: Any) -> httpx.Response:
        body = activity_body(org, **changes)
        return await api.post(path, headers=keyed(organizer), json=body)

    made = (await draft(signup_terms=terms, eligibility=eligibility)).json()
    full = {"cancel_until_minutes": 0, "no_clash": True} | terms
    assert made["signup_terms"] == full
    assert made["eligibility"] == eligibility | {"max_age": None, "minors_need_consent": False}
    start = {"starts_at": (now() + timedelta(days=3)).isoformat()}
    copied = await api.post(f"{path}/{made['id']}/copies", headers=keyed(organizer), json=start)
    assert copied.json()["signup_terms"] == full
    assert copied.json()["eligibility"] == made["eligibility"]
    plain = (await draft()).json()
    assert plain["signup_terms"]["needs_approval"] is False
    for field, wrong in (
        ("eligibility", {"min_age": 30, "max_age": 20}),
        ("eligibility", {"tiers": ["no_such_tier"]}),
        ("eligibility", {"org_id": str(organizer.id)}),
        ("eligibility", {"min_age": True}),
        ("signup_terms", {"friends": 6}),
        ("signup_terms", {"offer_minutes": 1}),
        ("signup_terms", {"seats": 1}),
    ):
        assert_refused(await draft(**{field: wrong}), 422, "request.invalid")
    same = {k: made[k] for k in ("title", "description", "category", "starts_at", "ends_at")}
    cleared = await api.put(
        f"{path}/{made['id']}",
        headers=organizer.headers | {"If-Match": '"1"'},
        json=same | {"rule_key": made["rule_key"]},
    )
    assert cleared.json()["signup_terms"] == plain["signup_terms"]
    assert cleared.json()["eligibility"] == plain["eligibility"]
    assert EligibilityIn() == EligibilityIn.model_validate(plain["eligibility"])


async def test_a_plain_sign_up_costs_four_statements(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locking the places, reading who asks, the row and the counters."""
    counted: list[str] = []
    async with runtime.database.transaction() as tx:
        real = type(tx).fetch

        async def fetch(session: Any, statement: str, params: Any) -> Any:
            counted.append(statement)
            return await real(session, statement, params)

        monkeypatch.setattr(type(tx), "fetch", fetch)
    activity, person = await make_activity(runtime), await make_person(runtime)
    counted.clear()

    await sign_up(runtime, activity, person)

    assert len(counted) == 4
