"""Swaps of shifts: exchanged, given away, refused, withdrawn, expired, and against clashes."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import now
from app.jobs import swaps as job
from app.models.activities import Activity, ActivityStatus
from app.models.orgs import Org
from app.queries import signup_pauses as pauses
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.organizing import Desk
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.presences import come
from tests.factories.refusals import Ask as Refused
from tests.factories.sessions import (
    DAY,
    HOUR,
    add_post,
    add_sessions,
    change,
    leave,
    moment,
    take,
    times,
)
from tests.factories.signup_terms import describe
from tests.routers.test_audit import entries
from tests.security.schema_world import Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation      rule    nobody alice bob  counter rival sibling parent auditor admin outsider
proposeSwap    person  401    201+  403  403     403   403     403    403     403   403       403=sessions.not_on_shift
listOpenSwaps  person  401    200+  200+ 200+    200+  200+    200+   200+    200+  200+
listMySwaps    person  401    200+  200+ 200     200   200     200    200     200   200
acceptSwap     person  401    403   200+ 404     404   404     404    404     404   404       403=swaps.own  404=swaps.not_found
refuseSwap     person  401    404   200+ 404     404   404     404    404     404   404       404=swaps.not_found
withdrawSwap   person  401    200+  404  404     404   404     404    404     404   404       404=swaps.not_found
"""  # noqa: E501 - a table
HERS = {"swaps": ":alice IN (created_by, asked_id, accepted_by)"}
BESIDE_POINTS = {"swaps"}
BEYOND_THE_SCHEMA = {
    "body",  # either of two
    "body.with_signup_id",
    "sessions.not_on_shift",
    "swaps.not_found",
    "swaps.wrong_state",
    "swaps.there",
    "swaps.begun",
    "swaps.checked_in",
    "swaps.own",
    "swaps.clash",
    "swaps.not_approved",
    "signups.paused",
    "signups.not_eligible",
    "signups.answers_missing",
}


@dataclass
class Rota:
    """An activity with two shifts of a post, each held by one of two people; and a third person."""

    api: httpx.AsyncClient
    runtime: Runtime
    org: Org
    organizer: TestPerson
    activity: str
    shifts: list[dict[str, Any]]
    holders: list[TestPerson]
    signups: list[str]
    base: datetime  # from which the starts of the shifts are counted

    async def propose(self, **body: Any) -> httpx.Response:
        """Let the first person offer the first shift."""
        path = f"{API}/shifts/{self.shifts[0]['id']}/swaps"
        return await self.api.post(path, headers=keyed(self.holders[0]), json=body)

    async def offered(self, **body: Any) -> dict[str, Any]:
        reply = await self.propose(**body or {"with_signup_id": self.signups[1]})
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made

    async def answer(self, swap: dict[str, Any], person: TestPerson, verb: str) -> httpx.Response:
        path = f"{API}/swaps/{swap['id']}/{verb}"
        return await self.api.post(path, headers=keyed(person), json={})

    async def held(self) -> list[list[str]]:
        """Return the sign-ups of each person."""
        listed = [await walk(self.api, f"{API}/me/signups", one.headers) for one in self.holders]
        return [[one["id"] for one in own] for own in listed]

    async def kinds(self, person: TestPerson) -> list[str]:
        return [one["kind"] for one in await inbox(self.api, self.runtime, person)]


async def make_rota(
    api: httpx.AsyncClient,
    runtime: Runtime,
    holders: list[TestPerson],
    *starts: timedelta,
    org: Org | None = None,
    base: datetime | None = None,
    **terms: Any,
) -> Rota:
    """Let each of the holders have a shift of two hours, in the order of the starts."""
    base = base or now()
    activity = await make_activity(
        runtime, org=org, starts_at=now() + DAY, signup_for="session", **terms
    )
    organizer = await make_organizer(runtime, activity.org_id)
    post = await add_post(api, organizer, activity.id)
    wanted = [
        {
            "starts_at": (base + start).isoformat(),
            "ends_at": (base + start + 2 * HOUR).isoformat(),
            "post_id": post["id"],
            "capacity": 3,
        }
        for start in starts or (DAY, 2 * DAY)
    ]
    shifts = await add_sessions(api, organizer, activity.id, *wanted)
    signups = [await take(runtime, one, who) for one, who in zip(shifts, holders, strict=False)]
    async with runtime.database.read() as tx:
        found = await tx.get(Org, activity.org_id)
    assert found is not None
    return Rota(api, runtime, found, organizer, str(activity.id), shifts, holders, signups, base)


@pytest.fixture
async def rota(api: httpx.AsyncClient, runtime: Runtime) -> Rota:
    return await make_rota(api, runtime, await make_people(runtime, 3))


async def _of_alice(world: World) -> tuple[Rota, TestPerson]:
    bob = world.everybody["bob"]
    assert bob is not None
    holders, starts = [world.alice, bob], [world.free_time(), world.free_time()]
    return await make_rota(world.api, world.runtime, holders, *starts, org=world.home), bob


async def _shift(world: World) -> Ask:
    rota, _ = await _of_alice(world)
    return Ask({"shift_id": rota.shifts[0]["id"]}, {"open": True})


async def _given_away(world: World) -> Ask:
    rota, _ = await _of_alice(world)
    await rota.offered(open=True)
    return Ask({"activity_id": rota.activity})


async def _asked(world: World) -> Ask:
    rota, _ = await _of_alice(world)
    return Ask({"swap_id": (await rota.offered())["id"]}, {})


REQUESTS = {
    "proposeSwap": _shift,
    "listOpenSwaps": _given_away,
    "listMySwaps": _asked,
    "acceptSwap": _asked,
    "refuseSwap": _asked,
    "withdrawSwap": _asked,
}


async def known(setup: Setup) -> Known:
    rota = await make_rota(
        setup.api, setup.runtime, [setup.others[0], setup.caller], DAY, 3 * DAY, org=setup.org
    )
    swap = await rota.offered()
    return {
        "swap_id": [swap["id"]],
        "shift_id": [rota.shifts[1]["id"]],
        "activity_id": [rota.activity],
    }


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        if "open" in body or "with_signup_id" in body:
            body.pop("with_signup_id", None)
            body["open"] = True

    return complete


async def _begun(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    rota = await make_rota(api, runtime, await make_people(runtime, 2))
    swap = await rota.offered()
    starts_at = await _start(runtime, rota.shifts[1])
    path = f"/swaps/{swap['id']}/acceptance"
    return Refused(rota.holders[1], "POST", path, {"starts_at": starts_at}, {})


async def _clash(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    """Who would take the first shift has a place elsewhere at that time."""
    rota = await make_rota(api, runtime, await make_people(runtime, 2), DAY, DAY + HOUR, 2 * DAY)
    other = await take(runtime, rota.shifts[2], rota.holders[1])
    swap = await rota.offered(with_signup_id=other)
    facts = {name: moment(rota.shifts[1][name]) for name in ("starts_at", "ends_at")}
    return Refused(rota.holders[1], "POST", f"/swaps/{swap['id']}/acceptance", facts, {})


REFUSED = {"swaps.begun": _begun, "swaps.clash": _clash}


async def _start(runtime: Runtime, shift: dict[str, Any]) -> datetime:
    """Let a shift have begun a minute ago; return when."""
    starts_at = now() - timedelta(minutes=1)
    times = f"starts_at = '{starts_at}', ends_at = '{starts_at + HOUR}'"
    sql = f"UPDATE activity_sessions SET {times} WHERE id = '{shift['id']}'"  # noqa: S608
    await as_owner(runtime.settings, sql)
    return starts_at


async def test_two_people_exchange_their_shifts(rota: Rota) -> None:
    one, two, three = rota.holders
    swap = await rota.offered()
    assert (swap["state"], swap["is_mine"]) == ("proposed", True)
    assert swap["offered"]["id"] == rota.shifts[0]["id"]
    assert swap["wanted"]["id"] == rota.shifts[1]["id"]
    assert swap["expires_at"] == rota.shifts[0]["starts_at"]
    assert_refused(await rota.answer(swap, one, "acceptance"), 403, "swaps.own")
    assert_refused(await rota.answer(swap, three, "acceptance"), 404, "swaps.not_found")
    assert await rota.held() == [[rota.signups[0]], [rota.signups[1]], []]

    done = await rota.answer(swap, two, "acceptance")

    assert (done.status_code, done.json()["state"]) == (200, "accepted"), done.text
    assert await rota.held() == [[rota.signups[1]], [rota.signups[0]], []]
    assert_refused(await rota.answer(swap, two, "acceptance"), 409, "swaps.wrong_state")
    assert await rota.kinds(one) == ["swap_accepted"] * 2
    assert await rota.kinds(two) == ["swap_accepted", "swap_accepted", "swap_proposed"]
    admin = await make_administrator(rota.runtime, rota.org.id)
    told = await entries(rota.api, admin, rota.org)
    kinds = [(one["subject"]["type"], one["verb"]) for one in told if one["facts"].get("about")]
    assert kinds == [("signup", "changed"), ("signup", "changed"), ("swap", "created")]
    await assert_ledger_verifies(rota.runtime)


async def test_a_shift_is_given_away_to_who_takes_it(rota: Rota) -> None:
    one, two, three = rota.holders
    asked = await rota.offered()
    withdrawn = await rota.answer(asked, one, "withdrawal")
    swap = await rota.offered(open=True)
    assert withdrawn.json()["state"] == "withdrawn"
    assert_refused(await rota.propose(open=True), 409, "swaps.there")
    listed = await walk(rota.api, f"{API}/activities/{rota.activity}/swaps", three.headers)
    assert [(one["id"], one["wanted"]) for one in listed] == [(swap["id"], None)]
    assert_refused(await rota.answer(swap, three, "refusal"), 404, "swaps.not_found")

    assert (await rota.answer(swap, three, "acceptance")).status_code == 200

    assert await rota.held() == [[], [rota.signups[1]], [rota.signups[0]]]
    mine = await walk(rota.api, f"{API}/me/swaps", three.headers)
    assert [(one["id"], one["state"]) for one in mine] == [(swap["id"], "accepted")]
    assert_refused(await rota.propose(open=True), 403, "sessions.not_on_shift")
    assert await rota.kinds(two) == ["swap_withdrawn", "swap_proposed"]


async def test_of_two_offers_of_a_place_one_is_accepted(rota: Rota) -> None:
    """The other person asks for the same place; with the first swap that offer ends."""
    one, two, three = rota.holders
    other = await take(rota.runtime, rota.shifts[1], three)
    path = f"{API}/shifts/{rota.shifts[1]['id']}/swaps"
    body = {"with_signup_id": rota.signups[0]}
    theirs = await rota.api.post(path, headers=keyed(three), json=body)
    assert theirs.status_code == 201, theirs.text
    swap = await rota.offered()
    assert (await rota.answer(swap, two, "acceptance")).status_code == 200
    late = await rota.answer(theirs.json(), one, "acceptance")
    assert_refused(late, 409, "swaps.wrong_state")
    assert await rota.held() == [[rota.signups[1]], [rota.signups[0]], [other]]
    assert await rota.kinds(three) == ["swap_expired"]


async def test_of_many_who_take_a_shift_at_once_one_gets_it(rota: Rota) -> None:
    """Without the lock of the offer several would be told that they have it."""
    takers = await make_people(rota.runtime, 6)
    swap = await rota.offered(open=True)

    answers = await asyncio.gather(
        *(rota.answer(swap, one, "acceptance") for one in takers),
        rota.answer(swap, rota.holders[0], "withdrawal"),
    )

    assert sorted(one.status_code for one in answers) == [200, *[409] * 6]
    rota.holders = [rota.holders[0], *takers]
    assert sum(map(len, await rota.held())) == 1


async def test_who_has_lost_the_place_swaps_nothing(rota: Rota) -> None:
    _, two, _ = rota.holders
    swap = await rota.offered()
    await leave(rota.runtime, rota.signups[1])
    assert_refused(await rota.answer(swap, two, "acceptance"), 409, "swaps.stale")
    assert (await rota.answer(swap, two, "refusal")).json()["state"] == "refused"
    assert await rota.kinds(rota.holders[0]) == ["swap_refused"]


async def test_nothing_clashes_after_a_swap(rota: Rota) -> None:
    """A place at the same time elsewhere is in the way, on either side; a neighbouring one not."""
    one, two, three = rota.holders
    swap = await rota.offered()
    elsewhere = await make_rota(
        rota.api,
        rota.runtime,
        [two, two, one],
        *(DAY - 2 * HOUR, DAY + HOUR, 2 * DAY - HOUR),
        base=rota.base,
    )
    for place in elsewhere.signups[1:]:
        assert_refused(await rota.answer(swap, two, "acceptance"), 409, "swaps.clash")
        await leave(rota.runtime, place)
    assert (await rota.answer(swap, two, "acceptance")).status_code == 200
    given = await rota.api.post(
        f"{API}/shifts/{rota.shifts[0]['id']}/swaps", headers=keyed(two), json={"open": True}
    )
    await take(rota.runtime, rota.shifts[0], three)
    assert_refused(await rota.answer(given.json(), three, "acceptance"), 409, "swaps.clash")


async def test_the_times_that_are_held_change_hands(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Two shifts that overlap are swapped; a third one overlaps with the second of them alone."""
    one, two = await make_people(runtime, 2)
    rota = await make_rota(api, runtime, [], DAY, DAY + HOUR, DAY + 2 * HOUR)
    rota.holders = [one, two]

    async def sign_up(person: TestPerson, shift: int) -> httpx.Response:
        path = f"{API}/activities/{rota.activity}/signups"
        body = {"session": rota.shifts[shift]["number"]}
        return await api.post(path, headers=person.headers, json=body)

    rota.signups = [(await sign_up(one, 0)).json()["id"], (await sign_up(two, 1)).json()["id"]]
    swap = await rota.offered()
    offer = (await sign_up(one, 2)).json()["id"]
    sql = "UPDATE signups SET status = 'offered', offer_until = '{}' WHERE id = '{}'"
    await as_owner(runtime.settings, sql.format(rota.shifts[2]["starts_at"], offer))
    assert_refused(await rota.answer(swap, two, "acceptance"), 409, "swaps.clash")
    assert (await api.delete(f"{API}/signups/{offer}", headers=one.headers)).status_code == 204

    assert (await rota.answer(swap, two, "acceptance")).status_code == 200

    assert_refused(await sign_up(one, 2), 409, "signups.clash")
    assert (await sign_up(two, 2)).status_code == 201
    await assert_ledger_verifies(runtime)


async def test_who_takes_a_shift_could_sign_up_for_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    terms: dict[str, Any] = {
        "signup_terms": {"needs_approval": True},
        "eligibility": {"min_age": 18},
    }
    rota = await make_rota(api, runtime, await make_people(runtime, 2), **terms)
    _, two = rota.holders
    stranger = await make_person(runtime)
    swap = await rota.offered(open=True)
    adult = {"birth_date": date(1990, 5, 4)}

    async def refused(person: TestPerson, status: int, code: str) -> None:
        assert_refused(await rota.answer(swap, person, "acceptance"), status, code)

    await refused(stranger, 403, "signups.not_eligible")
    await describe(runtime, stranger, **adult)
    await refused(stranger, 403, "swaps.not_approved")
    async with runtime.database.transaction() as tx:
        await pauses.put(tx, two.id, now() + DAY)
    await describe(runtime, two, **adult)
    await refused(two, 409, "signups.paused")
    async with runtime.database.transaction() as tx:
        await pauses.end(tx, [two.id])
    assert (await rota.answer(swap, two, "acceptance")).status_code == 200
    assert await rota.held() == [[], [rota.signups[1], rota.signups[0]]]
    await assert_ledger_verifies(runtime)


async def test_an_offer_follows_the_times_of_its_shift(rota: Rota) -> None:
    swap = await rota.offered(open=True)
    [shift, _] = await walk(rota.api, f"{API}/activities/{rota.activity}/sessions")
    moved = await change(rota.api, rota.organizer, shift, **times(DAY / 2))
    assert moved.status_code == 200, moved.text
    [mine] = await walk(rota.api, f"{API}/me/swaps", rota.holders[0].headers)
    assert (mine["id"], mine["expires_at"]) == (swap["id"], moved.json()["starts_at"])


async def test_only_another_place_of_the_activity_is_asked_for(rota: Rota) -> None:
    beside = await take(rota.runtime, rota.shifts[0], rota.holders[2])
    elsewhere = await make_rota(rota.api, rota.runtime, await make_people(rota.runtime, 2))
    for wrong in (rota.signups[0], beside, elsewhere.signups[0], rota.activity):
        refused = await rota.propose(with_signup_id=wrong)
        assert_refused(refused, 422, "request.invalid")
        assert [one["field"] for one in refused.json()["errors"]] == ["body.with_signup_id"]
    for both in ({}, {"open": True, "with_signup_id": rota.signups[1]}):
        assert_refused(await rota.propose(**both), 422, "request.invalid")


async def test_an_offer_ends_with_the_start_of_the_shift(rota: Rota) -> None:
    swap = await rota.offered(open=True)
    assert await job.expire(rota.runtime) == 0
    sql = "UPDATE swaps SET expires_at = now() - interval '1 minute' WHERE id = '{}'"
    await as_owner(rota.runtime.settings, sql.format(swap["id"]))
    await job.expire(rota.runtime)
    [mine] = await walk(rota.api, f"{API}/me/swaps", rota.holders[0].headers)
    assert mine["state"] == "expired"
    assert await rota.kinds(rota.holders[0]) == ["swap_expired"]


async def test_a_place_by_which_somebody_checked_in_is_not_swapped(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Check-in opens before the start. Else the next holder would be paid for the place too."""
    rota = await make_rota(api, runtime, await make_people(runtime, 3), HOUR / 4, DAY)
    one, two, three = rota.holders
    given, asked = await rota.offered(open=True), (await _asks(rota, two)).json()
    async with runtime.database.read() as tx:
        activity = await tx.get_one(Activity, UUID(rota.activity))
    await come(runtime, activity, one)

    assert_refused(await rota.answer(given, three, "acceptance"), 409, "swaps.checked_in")
    assert_refused(await rota.answer(asked, one, "acceptance"), 409, "swaps.checked_in")
    assert (await rota.answer(given, one, "withdrawal")).status_code == 200
    assert (await rota.answer(asked, two, "withdrawal")).status_code == 200
    for body in ({"open": True}, {"with_signup_id": rota.signups[1]}):
        assert_refused(await rota.propose(**body), 409, "swaps.checked_in")
    assert_refused(await _asks(rota, two), 409, "swaps.checked_in")
    await assert_ledger_verifies(runtime)


async def _asks(rota: Rota, two: TestPerson) -> httpx.Response:
    """Let the second person ask for the first shift in exchange."""
    path, body = f"{API}/shifts/{rota.shifts[1]['id']}/swaps", {"with_signup_id": rota.signups[0]}
    return await rota.api.post(path, headers=keyed(two), json=body)


async def test_nothing_is_swapped_once_a_shift_has_begun(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    rota = await make_rota(api, runtime, await make_people(runtime, 2))
    swap = await rota.offered()
    await _start(runtime, rota.shifts[0])
    assert_refused(await rota.answer(swap, rota.holders[1], "acceptance"), 409, "swaps.begun")
    desk = Desk(api, runtime)
    await desk.open(status=ActivityStatus.draft, starts_at=now() + DAY)
    [plain] = await add_sessions(api, desk.organizer, desk.activity.id, times(DAY))
    path = f"{API}/shifts/{plain['id']}/swaps"
    none = await api.post(path, headers=keyed(rota.holders[0]), json={"open": True})
    assert_refused(none, 404, "sessions.not_found")
