"""Tiers: promoted at once, kept for a grace, lowered one step; kept by who moves or is merged."""

from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest

from app.core.clock import now
from app.models.orgs import Level
from app.models.tiers import TierStanding
from app.queries import tiers as queries
from app.runtime import Runtime
from app.schemas.policies.documents import PolicyDocument
from app.services import tiers
from app.services.policies import history
from app.services.policies.reading import parse
from tests.factories.activities import make_activity
from tests.factories.awards import give_award, raise_to_growth
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import in_words, inbox
from tests.factories.ledger import balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_person
from tests.factories.policies import SHIPPED
from tests.factories.rewards import make_counter, make_reward
from tests.routers.test_cards import card

A_DAY = timedelta(days=1)
POINTS = 1  # the unit


async def review(runtime: Runtime, person: TestPerson, at: datetime) -> None:
    """Review one person alone."""
    async with runtime.database.transaction() as tx:
        await tiers.review(tx, UUID(int=person.id.int - 1), 1, at)


async def kept(runtime: Runtime, person: TestPerson) -> TierStanding | None:
    async with runtime.database.read() as tx:
        return await queries.find(tx, person.id, POINTS)


async def keep(runtime: Runtime, person: TestPerson, tier: str, below_since: datetime) -> None:
    """Give a person a tier that nothing was earned for."""
    row = TierStanding(
        person_id=person.id,
        unit_id=POINTS,
        tier=tier,
        since=below_since - A_DAY,
        below_since=below_since,
    )
    async with runtime.database.transaction() as tx:
        assert await queries.add(tx, row)


async def told(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson) -> list[str]:
    found = [one["kind"] for one in await inbox(api, runtime, person)]
    return [one for one in found[::-1] if one.startswith("tier_")]


async def test_who_earned_more_has_the_higher_tier_at_once_and_is_told_later(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, at = await make_person(runtime), now()
    await raise_to_growth(runtime, person, await make_org(runtime))

    before = await card(api, person)
    await review(runtime, person, at)
    after = await card(api, person)
    await review(runtime, person, at + A_DAY)

    assert (before["tier"], before["tier_since"]) == ("growth", None)
    assert (after["tier"], datetime.fromisoformat(after["tier_since"])) == ("growth", at)
    assert (after["grace_until"], after["missing"]) == (None, None)
    assert await told(api, runtime, person) == ["tier_raised"], "once"


async def test_a_tier_is_kept_for_sixty_days_and_goes_down_one_step(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org, at = await make_person(runtime), await make_org(runtime), now()
    for days_ago in range(369, 364, -1):
        await give_award(runtime, person, org, points=8, minutes=240, days_ago=days_ago)
    await review(runtime, person, at - 6 * A_DAY)
    await review(runtime, person, at)

    shown = await card(api, person)
    until = at + 60 * A_DAY
    assert (shown["tier"], shown["points_12m"]) == ("growth", 0)
    assert datetime.fromisoformat(shown["grace_until"]) == until
    assert shown["missing"] == {"points_missing": 40, "minutes_missing": 8 * 60}
    notice = (await inbox(api, runtime, person))[0]
    assert in_words(shown["grace_until"])[0] in notice["text"]

    await review(runtime, person, until - timedelta(seconds=1))
    assert (await card(api, person))["tier"] == "growth", "control: a second before"
    await review(runtime, person, until)
    lowered = await card(api, person)
    assert (lowered["tier"], lowered["grace_until"]) == ("sprout", None)
    assert await told(api, runtime, person) == ["tier_raised", "tier_in_grace", "tier_lowered"]


async def test_who_is_two_steps_too_high_has_a_grace_for_each(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, at = await make_person(runtime), now()
    await keep(runtime, person, "peak", at - 61 * A_DAY)
    await review(runtime, person, at)
    await review(runtime, person, at + A_DAY)
    shown = await card(api, person)
    assert shown["tier"] == "growth"
    assert datetime.fromisoformat(shown["grace_until"]) == at + 60 * A_DAY


async def test_who_earns_enough_in_the_grace_keeps_the_tier(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, at = await make_person(runtime), now()
    await keep(runtime, person, "growth", at - 59 * A_DAY)
    assert (await card(api, person))["missing"] is not None, "control"
    await raise_to_growth(runtime, person, await make_org(runtime))

    shown = await card(api, person)
    await review(runtime, person, at + 2 * A_DAY)
    row = await kept(runtime, person)

    assert (shown["tier"], shown["grace_until"], shown["missing"]) == ("growth", None, None)
    assert row is not None
    assert (row.tier, row.below_since) == ("growth", None)
    assert await told(api, runtime, person) == []


async def test_a_tier_in_grace_still_gets_what_it_gives(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A reward of that tier, and an activity for it."""
    holder, other = await make_person(runtime), await make_person(runtime)
    await keep(runtime, holder, "growth", now())
    reward = await make_reward(runtime, await make_counter(runtime), min_tier="growth")
    activity = await make_activity(runtime, eligibility={"tiers": ["growth"]})

    replies = {}
    for person in (holder, other):
        await give_points(runtime, person.id, 20)
        offered = await api.get(f"/api/v1/rewards/{reward.id}", headers=person.headers)
        redeemed = await api.post(
            "/api/v1/redemptions",
            headers=keyed(person),
            json={"reward_id": str(reward.id), "quantity": 1},
        )
        path = f"/api/v1/activities/{activity.id}/signups"
        signed_up = await api.post(path, headers=keyed(person), json={})
        replies[person.id] = (offered.json()["mine"]["may_redeem"], redeemed, signed_up)

    may, redeemed, signed_up = replies[holder.id]
    assert (may, redeemed.status_code, signed_up.status_code) == (True, 201, 201)
    may, redeemed, signed_up = replies[other.id]
    assert may is False
    assert_refused(redeemed, 403, "rewards.tier_too_low")
    assert_refused(signed_up, 403, "signups.not_eligible")


@pytest.mark.parametrize(("said", "days"), [("[card]\ngrace_days = 9\n", 9), ("", 60)])
def test_the_grace_is_sixty_days_unless_a_policy_says_otherwise(said: str, days: int) -> None:
    assert "[card]\ngrace_days = 60\n" in SHIPPED
    table = parse(SHIPPED.replace("[card]\ngrace_days = 60\n", said))
    document = PolicyDocument.model_validate(table)
    assert document.card.grace_days == days


async def test_who_moves_to_another_community_keeps_card_tier_and_points(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, person = await make_org(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 10)
    await keep(runtime, person, "growth", now())
    seen = []
    for _ in range(2):
        home = await make_org(runtime, parent=street, level=Level.community)
        body = {"display_name": "四", "community_id": str(home.id)}
        moved = await api.put("/api/v1/me", headers=person.headers, json=body)
        assert moved.status_code == 200, moved.text
        shown = await card(api, person)
        seen.append((shown["card_no"], shown["tier"], await balance(runtime, person.id)))
    assert seen[0] == seen[1]
    assert seen[0][1:] == ("growth", 10)


async def test_the_account_that_is_kept_has_the_higher_tier_of_both(runtime: Runtime) -> None:
    absorbed, account = await make_person(runtime), await make_person(runtime)
    await keep(runtime, absorbed, "peak", now())
    await keep(runtime, account, "growth", now())
    async with runtime.database.transaction() as tx:
        await tiers.hand_over(tx, absorbed.id, account.id, now())
        policy = await history.in_force(tx)
        assert (await tiers.of(tx, account.id, policy)).key == "peak"
        assert (await tiers.of(tx, absorbed.id, policy)).key == "sprout"
