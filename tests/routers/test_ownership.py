"""Alice's things in Bob's hands: 404 as if they were not there, or 403 without the role."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from app.models.activities import ActivityStatus
from app.models.ledger import Purpose
from app.models.orgs import Level
from app.models.people import Role
from app.queries import people
from app.runtime import Runtime
from tests.factories.activities import activity_body, make_activity
from tests.factories.awards import award_body, give_award, propose
from tests.factories.http import assert_refused, walk
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.rewards import make_card_codes, make_counter, make_reward

API = "/api/v1"


@dataclass(frozen=True)
class World:
    """Alice's things, and those who must not touch them.

    ``bob`` is a resident. ``rival`` organizes and administers a sibling community and works
    at another merchant: every role, at the wrong place.
    """

    ids: dict[str, str]
    bodies: dict[str, Any]
    alice: TestPerson
    bob: TestPerson
    rival: TestPerson


@pytest_asyncio.fixture(scope="module")
async def world(api: httpx.AsyncClient, runtime: Runtime) -> World:
    street = await make_org(runtime)
    home, sibling = [
        await make_org(runtime, parent=street, level=Level.community) for _ in range(2)
    ]
    alice, bob, rival = [await make_person(runtime) for _ in range(3)]
    counter, other = await make_counter(runtime, org=home), await make_counter(runtime)
    async with runtime.database.transaction() as tx:
        for role in (Role.organizer, Role.administrator):
            await people.grant_role(tx, rival.id, role, org=sibling.id, merchant=None)
        staff = Role.merchant_staff
        await people.grant_role(tx, rival.id, staff, org=None, merchant=other.merchant.id)
    await give_points(runtime, alice.id, 100, org=home.id)

    async def made(person: TestPerson, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = person.headers | {"Idempotency-Key": str(uuid4())}
        response = await api.post(f"{API}/{path}", headers=headers, json=body)
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()
        return found

    activity = await make_activity(runtime, org=home)
    reward = await make_reward(runtime, counter)
    code = (await make_card_codes(runtime, alice, 1))[0]
    redemption = await made(alice, "redemptions", {"reward_id": str(reward.id), "quantity": 1})
    charge = await made(
        counter.staff, "merchant/charges", {"card_code": code, "points": 5, "note": ""}
    )
    proposed = await propose(api, await make_organizer(runtime, home.id), home, alice)
    transfer = await give_award(runtime, alice, home, rule_key="council_attend", points=2)
    ids = {
        "activity": str(activity.id),
        "draft": str((await make_activity(runtime, org=home, status=ActivityStatus.draft)).id),
        "signup": (await made(alice, f"activities/{activity.id}/signups", {}))["id"],
        "redemption": redemption["id"],
        "charge": charge["id"],
        "award": proposed[0]["id"],
        "transfer": str(transfer),
    }
    bodies = {
        "collect": {"pickup_code": redemption["pickup_code"]},
        "activity": activity_body(home),
        "award": award_body(home, [alice]),
        "reason": {"reason": "x"},
        "nothing": {},
    }
    return World(ids, bodies, alice, bob, rival)


# Method, path, body, what a resident hears, what somebody with the role elsewhere hears.
FORBIDDEN = (403, "auth.forbidden")
TOUCHES: list[tuple[str, str, str, tuple[int, str], tuple[int, str]]] = [
    ("GET", "activities/{draft}", "", (404, "activities.not_found"), (404, "activities.not_found")),
    ("POST", "activities/{draft}/publish", "", FORBIDDEN, (404, "activities.not_found")),
    ("GET", "activities/{activity}/checkin-code", "", FORBIDDEN, (404, "activities.not_found")),
    (
        "GET",
        "activities/{activity}/checkin-code.svg",
        "",
        FORBIDDEN,
        (404, "activities.not_found"),
    ),
    ("POST", "activities", "activity", FORBIDDEN, FORBIDDEN),
    ("DELETE", "signups/{signup}", "", (404, "signups.not_found"), (404, "signups.not_found")),
    (
        "POST",
        "redemptions/{redemption}/cancel",
        "",
        (404, "redemptions.not_found"),
        (404, "redemptions.not_found"),
    ),
    (
        "POST",
        "merchant/redemptions/collect",
        "collect",
        FORBIDDEN,
        (404, "redemptions.not_found"),
    ),
    ("POST", "merchant/charges/{charge}/refund", "reason", FORBIDDEN, (404, "charges.not_found")),
    ("POST", "awards", "award", FORBIDDEN, FORBIDDEN),
    ("POST", "awards/{award}/approval", "", FORBIDDEN, (404, "awards.not_found")),
    (
        "POST",
        "ledger/transfers/{transfer}/reversal",
        "reason",
        FORBIDDEN,
        (404, "ledger.transfer_not_found"),
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "to_bob", "to_rival"), TOUCHES)
async def test_what_is_anothers_is_out_of_reach(
    api: httpx.AsyncClient,
    runtime: Runtime,
    world: World,
    method: str,
    path: str,
    body: str,
    to_bob: tuple[int, str],
    to_rival: tuple[int, str],
) -> None:
    before = await things_of(api, runtime, world)

    for person, refusal in ((world.bob, to_bob), (world.rival, to_rival)):
        response = await api.request(
            method,
            f"{API}/{path.format(**world.ids)}",
            headers=person.headers | {"Idempotency-Key": str(uuid4())},
            json=world.bodies[body] if body else None,
        )
        assert_refused(response, *refusal)

    assert await things_of(api, runtime, world) == before


@pytest.mark.parametrize(("method", "path", "body", "to_bob", "to_rival"), TOUCHES)
async def test_without_a_login_nothing_is_told_about_it(
    api: httpx.AsyncClient,
    world: World,
    method: str,
    path: str,
    body: str,
    to_bob: tuple[int, str],
    to_rival: tuple[int, str],
) -> None:
    response = await api.request(
        method,
        f"{API}/{path.format(**world.ids)}",
        headers={"Idempotency-Key": str(uuid4())},
        json=world.bodies[body] if body else None,
    )

    if path == "activities/{draft}":
        assert_refused(response, 404, "activities.not_found")
    else:
        assert_refused(response, 401, "auth.token_invalid")


@pytest.mark.parametrize(
    "path",
    ["signups", "redemptions", "points/entries", "notices"],
)
async def test_lists_of_mine_hold_nothing_of_anothers(
    api: httpx.AsyncClient, world: World, path: str
) -> None:
    assert await walk(api, f"{API}/me/{path}", world.bob.headers) == []
    if path != "notices":
        assert await walk(api, f"{API}/me/{path}", world.alice.headers) != []


async def test_anothers_cursor_opens_nothing(api: httpx.AsyncClient, world: World) -> None:
    """A cursor is a place in a list, not a right to read it."""
    for path in ("redemptions", "points/entries"):
        page = await api.get(f"{API}/me/{path}", headers=world.alice.headers, params={"limit": 1})
        cursor = page.json()["next_cursor"] or "WzFd"

        response = await api.get(
            f"{API}/me/{path}", headers=world.bob.headers, params={"cursor": cursor}
        )

        if response.status_code == 200:
            assert response.json()["items"] == []
        else:
            assert_refused(response, 422, "request.invalid")


async def test_anothers_name_and_points_are_nowhere_in_my_me(
    api: httpx.AsyncClient, world: World
) -> None:
    for path in ("me", "me/card", "me/points"):
        mine = await api.get(f"{API}/{path}", headers=world.bob.headers)
        theirs = await api.get(f"{API}/{path}", headers=world.alice.headers)
        assert mine.json() != theirs.json()
        assert str(world.alice.id) not in mine.text


async def things_of(api: httpx.AsyncClient, runtime: Runtime, world: World) -> list[Any]:
    """Return all that Bob might have changed, as Alice sees it."""
    found: list[Any] = [
        await walk(api, f"{API}/me/{path}", world.alice.headers)
        for path in ("signups", "redemptions", "points/entries")
    ]
    found += [await balance(runtime, world.alice.id, purpose) for purpose in Purpose]
    return found


async def test_the_books_still_balance(runtime: Runtime, world: World) -> None:
    assert await balance(runtime, world.alice.id) > 0
    await assert_ledger_verifies(runtime)
