"""A rota of shifts over the API alone: from the draft to the awards of who came."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import local_date, now
from app.runtime import Runtime
from tests.factories.activities import activity_body
from tests.factories.clock import travel
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people
from tests.factories.sessions import DAY, add_post, change, moment

API = "/api/v1"
OFFERS = {"offer_minutes": 30}


class Rota:
    """An activity with two posts at the same morning, 1 and 2, and one in the afternoon, 3."""

    def __init__(self, api: httpx.AsyncClient, runtime: Runtime) -> None:
        self.api, self.runtime = api, runtime
        self.organizer: TestPerson
        self.path = f"{API}/activities"
        self.logins: dict[UUID, UUID] = {}

    async def open(self) -> "Rota":
        org = await make_org(self.runtime)
        self.organizer = await make_organizer(self.runtime, org.id)
        times = {"starts_at": now() + DAY, "ends_at": now() + DAY + timedelta(hours=2)}
        asked = activity_body(org, **{name: at.isoformat() for name, at in times.items()})
        asked |= {"signup_for": "session", "checks_out": True, "signup_terms": OFFERS}
        made = await self.api.post(self.path, headers=self.organizer.headers, json=asked)
        assert (made.status_code, made.json()["signup_for"]) == (201, "session"), made.text
        self.path += f"/{made.json()['id']}"
        del asked["org_id"]
        for version, other in enumerate(("activity", "session"), 1):
            edited = await self.edit(version, asked | {"signup_for": other})
            assert (edited.status_code, edited.json()["signup_for"]) == (200, other), edited.text
        gate, aid = [
            await add_post(self.api, self.organizer, made.json()["id"], name)
            for name in ("入口", "急救")
        ]
        await self.plan("08:30", "11:30", gate, aid)
        await self.plan("13:00", "16:00", gate)
        published = await self.api.post(f"{self.path}/publish", headers=self.organizer.headers)
        assert published.status_code == 200, published.text
        return self

    async def edit(self, version: int, body: dict[str, Any]) -> httpx.Response:
        headers = self.organizer.headers | {"If-Match": f'"{version}"'}
        return await self.api.put(self.path, headers=headers, json=body)

    async def plan(self, starts_at: str, ends_at: str, *posts: dict[str, Any]) -> None:
        """Let each of the posts need one person tomorrow."""
        tomorrow = (local_date(now()) + DAY).isoformat()
        body = {"weekdays": [*range(1, 8)], "since": tomorrow, "until": tomorrow}
        body |= {"starts_at": starts_at, "ends_at": ends_at}
        body |= {"posts": [{"post_id": one["id"], "needed": 1} for one in posts]}
        made = await self.api.post(f"{self.path}/shifts", headers=keyed(self.organizer), json=body)
        assert made.status_code == 201, made.text

    async def shifts(self) -> list[dict[str, Any]]:
        found = await walk(self.api, f"{self.path}/sessions", self.organizer.headers)
        return sorted(found, key=lambda one: int(one["number"]))

    async def sign_up(self, person: TestPerson, number: int) -> httpx.Response:
        body = {"session": number}
        return await self.api.post(f"{self.path}/signups", headers=person.headers, json=body)

    async def taken(self, person: TestPerson, number: int) -> tuple[str, str]:
        """Sign up; return the id of the sign-up and its state."""
        made = await self.sign_up(person, number)
        assert made.status_code == 201, made.text
        return made.json()["id"], made.json()["status"]

    async def swap(
        self, giver: TestPerson, number: int, taker: TestPerson, **wanted: Any
    ) -> httpx.Response:
        shift = (await self.shifts())[number - 1]["id"]
        made = await self.api.post(
            f"{API}/shifts/{shift}/swaps", headers=keyed(giver), json=wanted or {"open": True}
        )
        assert made.status_code == 201, made.text
        path = f"{API}/swaps/{made.json()['id']}/acceptance"
        return await self.api.post(path, headers=keyed(taker), json={})

    async def held(self, person: TestPerson) -> dict[int, str]:
        """Return the states of a person's sign-ups that are not cancelled, by shift."""
        mine = await walk(self.api, f"{API}/me/signups", person.headers)
        return {one["session"]: one["status"] for one in mine if one["status"] != "cancelled"}

    async def scan(self, person: TestPerson, noun: str) -> dict[str, Any]:
        action = {"checkins": "check_in", "checkouts": "check_out"}[noun]
        shown = await self.api.get(
            f"{self.path}/checkin-code?action={action}", headers=self.again(self.organizer).headers
        )
        done = await self.api.post(
            f"{API}/{noun}",
            headers=self.again(person).headers,
            json={"code": shown.json()["code"]},
        )
        assert done.status_code == 201, done.text
        found: dict[str, Any] = done.json()
        return found

    def remember(self, *people: TestPerson) -> None:
        """Keep the logins of people, whose tokens will be over."""
        for one in (self.organizer, *people):
            token = one.headers["Authorization"].split()[1]
            self.logins[one.id] = self.runtime.tokens.verify(token).family_id

    def again(self, person: TestPerson) -> TestPerson:
        """Return the person with a token of the present time."""
        token = self.runtime.tokens.sign(person.id, self.logins[person.id], now())
        return replace(person, headers={"Authorization": f"Bearer {token}"})


async def test_a_rota_is_played_from_the_draft_to_the_awards(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    rota = await Rota(api, runtime).open()
    alice, bob, carol = await make_people(runtime, 3)

    first, state = await rota.taken(alice, 1)
    assert state == "confirmed"
    assert_refused(await rota.sign_up(alice, 2), 409, "signups.clash")
    place, state = await rota.taken(bob, 1)
    assert state == "waitlisted"
    assert (await rota.taken(alice, 3))[1] == (await rota.taken(carol, 2))[1] == "confirmed"

    assert (await api.delete(f"{API}/signups/{first}", headers=alice.headers)).status_code == 204
    assert await rota.held(bob) == {1: "offered"}
    accepted = await api.post(f"{API}/signups/{place}/acceptance", headers=bob.headers)
    assert accepted.json()["status"] == "confirmed", accepted.text

    [theirs] = await walk(api, f"{API}/me/signups", carol.headers)
    exchanged = await rota.swap(bob, 1, carol, with_signup_id=theirs["id"])
    assert exchanged.status_code == 200, exchanged.text
    assert (await rota.held(bob), await rota.held(carol)) == ({2: "confirmed"}, {1: "confirmed"})
    assert_refused(await rota.sign_up(bob, 1), 409, "signups.clash")
    given = await rota.swap(alice, 3, bob)
    assert given.status_code == 200, given.text
    assert await rota.held(bob) == {2: "confirmed", 3: "confirmed"}

    assert (await rota.taken(alice, 1))[1] == "waitlisted"
    [one, two, _] = await rota.shifts()
    raised = await change(api, rota.organizer, one, capacity=2)
    assert raised.json()["signups_confirmed"] == 2, raised.text
    assert await rota.held(alice) == {1: "offered"}
    assert (await inbox(api, runtime, alice))[0]["kind"] == "signup_offered"
    later = {"starts_at": two["ends_at"], "ends_at": (moment(two["ends_at"]) + DAY / 8).isoformat()}
    clash = await change(api, rota.organizer, two | {"version": raised.json()["version"]}, **later)
    assert_refused(clash, 409, "sessions.clash")
    assert clash.json()["facts"] == {"used": 1}

    await _come_and_leave(rota, {1: carol, 2: bob}, moment(one["starts_at"]))
    await assert_ledger_verifies(runtime)


async def _come_and_leave(rota: Rota, people: dict[int, TestPerson], begins: datetime) -> None:
    """Let people come to their shifts and leave after 90 minutes; read it where it is shown."""
    rota.remember(*people.values())
    with travel(begins - timedelta(minutes=10)) as clock:
        came = [(await rota.scan(one, "checkins"))["checkin"] for one in people.values()]
        clock.move_to(begins + timedelta(minutes=90))
        left = [(await rota.scan(one, "checkouts"))["award"] for one in people.values()]
        lists = {
            noun: await walk(rota.api, f"{rota.path}/{noun}", rota.again(rota.organizer).headers)
            for noun in ("checkins", "signups")
        }
        mine = {
            number: await walk(rota.api, f"{API}/me/signups", rota.again(one).headers)
            for number, one in people.items()
        }
    assert [one["session"] for one in came] == [*people]
    assert [(one["points"], one["minutes"]) for one in left] == [(3, 90)] * len(people)
    attended = {(one["session"], one["person_id"], one["points"]) for one in lists["checkins"]}
    assert attended == {(number, str(one.id), 3) for number, one in people.items()}
    for number, own in mine.items():
        seen = {one["session"]: (one["award_state"], one["points"]) for one in own}
        assert seen[number] == ("available", 3)
        assert {points for session, points in seen.items() if session != number} <= {
            (None, None),
        }
    present = {one["session"] for one in lists["signups"] if one["checked_in_at"]}
    assert present >= set(people)
