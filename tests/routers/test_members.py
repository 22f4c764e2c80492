"""Members: found in a subtree, suspended and restored, with their cards."""

from functools import partial
from typing import Any
from uuid import UUID

import httpx
from sqlmodel import select

from app.api.guesses import CARD_GUESS
from app.models.activities import ActivityStatus
from app.models.audit import AuditEntry
from app.models.cards import MAX_SERIAL, card_number
from app.models.orgs import Level, Org
from app.models.people import Role
from app.models.signups import Signup
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.engines import as_owner
from tests.factories.activities import edit, edit_body, make_activity, sign_up
from tests.factories.awards import TWO_REVIEWERS, approve, end_notices, propose, reject, reverse
from tests.factories.deductions import deduction_body
from tests.factories.http import assert_refused, bearer, keyed, log_in, walk, wechat_code
from tests.factories.ledger import assert_ledger_verifies, give_points
from tests.factories.logins import refresh
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    appoint,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_card_codes, make_counter
from tests.routers.test_appointments import accept, offer
from tests.routers.test_audit import entries
from tests.routers.test_cards import charge
from tests.routers.test_co_organizers import add as co_organize
from tests.routers.test_limits import limited
from tests.routers.test_roles import card_no, end, give
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
REASON = {"reason": "冒用他人身份"}
MATRIX = """
operation      rule           nobody alice bob  counter rival sibling parent auditor admin outsider
listMembers    reader         401    403   403  403     403   403     200+   200+    200+  403
getMember      auditor        401    403   403  403     403   403     403    200+    200+  403
suspendMember  administrator  401    403   403  403     403   403     403    403     200   403
restoreMember  administrator  401    403   403  403     403   403     403    403     200   403
suspendCard    administrator  401    403   403  403     403   403     403    403     200   403
restoreCard    administrator  401    403   403  403     403   403     403    403     200   403
"""
BEYOND_THE_SCHEMA = {"query.card_no", "query.q", "people.not_found"}


async def _her(world: World) -> Ask:
    """Alice belongs to home by a sign-up."""
    activity = await make_activity(world.runtime, org=world.home)
    await sign_up(world.runtime, activity, world.alice)
    return Ask({"person_id": str(world.alice.id)}, query={"org_id": str(world.home.id)})


async def _her_card(world: World) -> Ask:
    ask = await _her(world)
    return Ask(query=(ask.query or {}) | {"card_no": await card_no(world.api, world.alice)})


async def _somebody(world: World, verb: str | None = None) -> Ask:
    """Name another member of home: with a suspended login Alice could not call any more."""
    person = await member_of(world.runtime, world.home)
    if verb is not None:
        admin = await make_administrator(world.runtime, world.home.id)
        assert (await post(world.api, admin, world.home, person, verb)).status_code == 200
    return Ask({"person_id": str(person.id)}, REASON | {"org_id": str(world.home.id)})


REQUESTS = {
    "listMembers": _her_card,
    "getMember": _her,
    "suspendMember": _somebody,
    "restoreMember": partial(_somebody, verb="suspension"),
    "suspendCard": _somebody,
    "restoreCard": partial(_somebody, verb="card/suspension"),
}


async def post(
    api: httpx.AsyncClient, caller: TestPerson, org: Org, person: TestPerson, verb: str
) -> httpx.Response:
    path, body = f"{API}/people/{person.id}/{verb}", REASON | {"org_id": str(org.id)}
    return await api.post(path, headers=keyed(caller), json=body)


async def member_of(runtime: Runtime, org: Org, name: str = "王小四") -> TestPerson:
    person = await make_person(runtime, name)
    await sign_up(runtime, await make_activity(runtime, org=org), person)
    return person


async def _role_elsewhere(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    admin, superior = [await make_administrator(runtime, one.id) for one in (org, street)]
    await sign_up(runtime, await make_activity(runtime, org=org), superior)
    facts = {"org_id": street.id, "org_name": street.name, "role": "administrator"}
    path, body = f"/people/{superior.id}/suspension", REASON | {"org_id": str(org.id)}
    return Refused(admin, "POST", path, facts, body)


async def _suspended_above(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    admin, superior = [await make_administrator(runtime, one.id) for one in (org, street)]
    person = await member_of(runtime, org)
    assert (await post(api, superior, street, person, "suspension")).status_code == 200
    facts = {"org_id": street.id, "org_name": street.name}
    path, body = f"/people/{person.id}/restoration", REASON | {"org_id": str(org.id)}
    return Refused(admin, "POST", path, facts, body)


async def _role_only(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    admin, person = await make_administrator(runtime, org.id), await make_person(runtime)
    assert (await give(api, admin, person, org)).status_code == 201
    path, body = f"/people/{person.id}/suspension", REASON | {"org_id": str(org.id)}
    return Refused(admin, "POST", path, {"role": "organizer"}, body)


async def _given_while_suspended(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    admin, person = await make_administrator(runtime, org.id), await member_of(runtime, org)
    number = await card_no(api, person)
    done = await post(api, admin, org, person, "suspension")
    facts = {"suspended_at": done.json()["suspended_at"]}
    body = {"card_no": number, "role": "organizer", "org_id": str(org.id)}
    return Refused(admin, "POST", "/roles", facts, body)


REFUSED = {
    "members.role_only": _role_only,
    "roles.person_suspended": _given_while_suspended,
    "members.role_elsewhere": _role_elsewhere,
    "members.suspended_above": _suspended_above,
}


async def known(setup: Setup) -> Known:
    person = await member_of(setup.runtime, setup.org)
    return {"person_id": [str(person.id)], "card_no": [await card_no(setup.api, person)]}


async def test_people_of_a_subtree_are_found_and_each_look_is_on_record(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    org, other = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    admin = await make_administrator(runtime, org.id)
    auditor = await make_with_role(runtime, Role.auditor, org=street.id)
    first, second = [await member_of(runtime, org, name) for name in ("欧阳小四", "李雷")]
    elsewhere = await member_of(runtime, other, "欧阳娜")
    await give_points(runtime, (paid := await make_person(runtime)).id, 5, org=org.id)

    async def found(caller: TestPerson, place: Org, **params: str) -> list[dict[str, Any]]:
        query = params | {"org_id": str(place.id)}
        reply = await api.get(f"{API}/people", headers=caller.headers, params=query)
        assert reply.status_code == 200, reply.text
        items: list[dict[str, Any]] = reply.json()["items"]
        return items

    everybody = {one["person_id"] for one in await found(admin, org)}
    assert everybody >= {str(one.id) for one in (first, second, admin)}
    assert str(elsewhere.id) not in everybody
    named = await found(admin, org, q="欧阳")
    number = await card_no(api, second)
    by_card = await found(admin, org, card_no=number)
    everyone = await found(auditor, street)
    masked = [one for one in everyone if one["display_name"].startswith("欧")]
    detail = await api.get(f"{API}/people/{first.id}/membership", headers=admin.headers)

    assert [(one["display_name"], one["card_status"]) for one in named] == [("欧阳小四", "active")]
    assert [(one["person_id"], one["card_no"]) for one in by_card] == [(str(second.id), number)]
    assert {one["display_name"] for one in masked} == {"欧*四", "欧*娜"}
    assert {len(one["card_no"].lstrip("*")) for one in masked} == {4}
    assert {k: detail.json()[k] for k in ("signups", "checkins", "awards", "roles")} == {
        "signups": 1,
        "checkins": 0,
        "awards": 0,
        "roles": [],
    }
    hidden = await api.get(f"{API}/people/{elsewhere.id}/membership", headers=admin.headers)
    assert_refused(hidden, 404, "people.not_found")
    assert_refused(
        await api.get(
            f"{API}/people",
            headers=admin.headers,
            params={"card_no": await card_no(api, elsewhere), "org_id": str(org.id)},
        ),
        404,
        "people.not_found",
    )
    looks = await entries(api, auditor, org, actor_id=str(admin.id))
    assert [(one["verb"], one["fields"]) for one in looks] == [
        ("viewed", []),
        ("searched", ["card_no"]),
        ("searched", ["q"]),
        ("searched", []),
    ]
    assert "欧阳" not in str([one["facts"] for one in looks])
    assert paid.id != first.id
    guess = {"q": "欧阳小四", "org_id": str(street.id)}
    refused = await api.get(f"{API}/people", headers=auditor.headers, params=guess)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == ["query.q"]


async def test_an_organizer_finds_by_the_whole_name_or_the_card_and_browses_nobody(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    org, other = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    organizer, admin = [
        await make(runtime, org.id) for make in (make_organizer, make_administrator)
    ]
    person, elsewhere = await member_of(runtime, org, "欧阳小五"), await member_of(runtime, other)
    path = f"{API}/people"
    number = await card_no(api, person)

    async def ask(**params: str) -> httpx.Response:
        query = params | {"org_id": str(org.id)}
        return await api.get(path, headers=organizer.headers, params=query)

    for params in ({"q": "欧阳小五"}, {"card_no": number}):
        [found] = (await ask(**params)).json()["items"]
        assert (found["person_id"], found["display_name"]) == (str(person.id), "欧阳小五")
        assert found["card_no"].lstrip("*") == number[-4:]
    assert (await ask(q="欧阳")).json()["items"] == []
    for params in ({}, {"suspended": "false"}):
        refused = await ask(**params)
        assert_refused(refused, 422, "request.invalid")
        assert [one["field"] for one in refused.json()["errors"]] == ["query.q"]
    unknown = await ask(card_no=await card_no(api, elsewhere))
    assert_refused(unknown, 404, "people.not_found")
    looks = await entries(api, admin, org, actor_id=str(organizer.id))
    assert [(one["verb"], one["fields"]) for one in looks] == [
        ("searched", ["q"]),
        ("searched", ["card_no"]),
        ("searched", ["q"]),
    ]


async def test_a_suspended_person_is_out_at_once_and_comes_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    admin = await make_administrator(runtime, org.id)
    login = await log_in(api, "suspended-one")
    person = TestPerson(UUID(login["person"]["id"]), "", bearer(login["access_token"]))
    await sign_up(runtime, await make_activity(runtime, org=org), person)
    assert (await give(api, admin, person, org)).status_code == 201
    awards = {"org_id": str(org.id)}
    assert (await api.get(f"{API}/awards", headers=person.headers, params=awards)).is_success

    done = await post(api, admin, org, person, "suspension")

    assert done.status_code == 200
    assert done.json()["suspended_at"] is not None
    for path in ("me", "awards"):
        refused = await api.get(f"{API}/{path}", headers=person.headers, params=awards)
        assert_refused(refused, 401, "auth.token_invalid")
    assert_refused(await refresh(api, login["refresh_token"]), 401, "auth.token_invalid")
    for language, words in (("zh-CN", "账号已停用"), ("en", "The account is suspended")):
        again = await api.post(
            f"{API}/auth/wechat",
            json={"code": await wechat_code(api, "suspended-one")},
            headers={"Accept-Language": language},
        )
        assert_refused(again, 403, "auth.suspended")
        assert again.json()["msg"].startswith(words)
        assert again.json()["facts"] == {"suspended_at": done.json()["suspended_at"]}
    again = await post(api, admin, org, person, "suspension")
    assert_refused(again, 409, "members.wrong_state")
    assert (await post(api, admin, org, person, "restoration")).json()["suspended_at"] is None
    back = await log_in(api, "suspended-one")
    headers = bearer(back["access_token"])
    assert (await api.get(f"{API}/awards", headers=headers, params=awards)).is_success
    verbs = [e["verb"] for e in await entries(api, admin, org, subject=f"person:{person.id}")]
    assert verbs == ["restored", "suspended", "appointed"]


async def _suspend_unseen(runtime: Runtime, api: httpx.AsyncClient, *asked: Any) -> None:
    """Suspend a person; Redis forgets that the access token was revoked."""
    admin, org, person = asked
    await sign_up(runtime, await make_activity(runtime, org=org), person)
    assert (await post(api, admin, org, person, "suspension")).status_code == 200
    family = runtime.tokens.verify(person.headers["Authorization"].split()[1]).family_id
    await runtime.redis.delete(runtime.revocations.bar(family))
    runtime.revocations._local.clear()


async def test_a_role_of_a_suspended_person_ends_without_redis_too(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """An access token that Redis could not revoke opens nothing that takes a role."""
    org = await make_org(runtime)
    admin, organizer = (
        await make_administrator(runtime, org.id),
        await make_organizer(runtime, org.id),
    )
    helper = await make_person(runtime)
    draft = await make_activity(runtime, org=org, status=ActivityStatus.draft)
    shown = await make_activity(runtime, org=org)
    for one in (draft, shown):
        await co_organize(api, organizer, one.id, helper)
    for person in (organizer, helper):
        await _suspend_unseen(runtime, api, admin, org, person)

    params = {"org_id": str(org.id)}
    refused = await api.get(f"{API}/awards", headers=organizer.headers, params=params)
    assert_refused(refused, 403, "auth.forbidden")
    for person in (organizer, helper):
        put = await edit(api, person, shown, edit_body(shown, title="改名"), 1)
        assert_refused(put, 403, "auth.forbidden")
        code = f"{API}/activities/{shown.id}/checkin-code"
        assert_refused(await api.get(code, headers=person.headers), 403, "auth.forbidden")
        hidden = await api.get(f"{API}/activities/{draft.id}", headers=person.headers)
        assert_refused(hidden, 404, "activities.not_found")
        assert await walk(api, f"{API}/me/activities", person.headers) == []
        assert (await api.get(f"{API}/me", headers=person.headers)).json()["roles"] == []


async def test_a_suspended_card_pays_nothing_until_it_is_restored(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    counter = await make_counter(runtime, org=org)
    admin, person = await make_administrator(runtime, org.id), await member_of(runtime, org)
    await give_points(runtime, person.id, 5, org=org.id)

    async def pay() -> httpx.Response:
        [code] = await make_card_codes(runtime, person, 1)
        return await charge(api, counter, code)

    stopped = await post(api, admin, org, person, "card/suspension")
    shown = await api.get(f"{API}/me/card/code", headers=person.headers)
    assert stopped.json()["card_status"] == "suspended"
    assert_refused(shown, 409, "cards.suspended")
    assert_refused(await pay(), 409, "cards.suspended")
    assert_refused(
        await post(api, admin, org, person, "card/suspension"), 409, "members.wrong_state"
    )
    assert (await post(api, admin, org, person, "card/restoration")).json()[
        "card_status"
    ] == "active"
    assert (await pay()).status_code == 201
    await assert_ledger_verifies(runtime)


async def test_a_role_that_was_only_given_suspends_nobody(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, elsewhere = await make_org(runtime), await make_org(runtime)
    admin, person = await make_administrator(runtime, org.id), await make_person(runtime)
    given = await give(api, admin, person, org)
    for verb in ("suspension", "card/suspension"):
        assert_refused(await post(api, admin, org, person, verb), 409, "members.role_only")
        stranger = await make_person(runtime)
        assert_refused(await post(api, admin, org, stranger, verb), 404, "people.not_found")
    assert (await end(api, admin, given.json()["id"])).status_code == 204
    made = await offer(api, admin, org_id=str(org.id))
    taken = await accept(api, person, made["code"])

    assert (await post(api, admin, org, person, "suspension")).status_code == 200
    assert (await end(api, admin, taken.json()["id"])).status_code == 204
    unmade = (
        f"UPDATE appointments SET accepted_by = NULL, accepted_at = NULL WHERE id = '{made['id']}'"  # noqa: S608
    )
    await as_owner(runtime.settings, unmade)
    async with runtime.database.transaction() as tx:
        await appoint(tx, person.id, Role.organizer, org=elsewhere.id)
    back = await post(api, admin, org, person, "restoration")
    assert (back.status_code, back.json().get("suspended_at")) == (200, None)


async def test_nobody_is_drawn_in_by_what_others_ask_for(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Proposals that wait, are rejected, approved by one of two, or reversed; removed sign-ups."""
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    waiting, rejected, half, taken_back, removed, confirmed = await make_people(runtime, 6)

    async def found(person: TestPerson) -> bool:
        params = {"card_no": await card_no(api, person), "org_id": str(org.id)}
        path = f"{API}/people"
        looked = await api.get(path, headers=organizer.headers, params=params)
        body = deduction_body(org, person)
        taken = await api.post(f"{API}/deductions", headers=keyed(organizer), json=body)
        read = await api.get(f"{path}/{person.id}/membership", headers=first.headers)
        replies = {looked.status_code == 200, taken.status_code == 201, read.status_code == 200}
        assert len(replies) == 1, (looked.text, taken.text, read.text)
        return replies.pop()

    await propose(api, organizer, org, waiting)
    [award] = await propose(api, organizer, org, rejected)
    assert (await reject(api, first, award)).is_success
    [award] = await propose(api, organizer, org, half, **TWO_REVIEWERS)
    assert (await approve(api, first, award)).is_success
    [award] = await propose(api, organizer, org, taken_back)
    assert (await approve(api, first, award)).is_success
    await end_notices(runtime)
    assert await found(taken_back)
    assert (await reverse(api, second, award["id"])).is_success
    activity = await make_activity(runtime, org=org)
    await sign_up(runtime, activity, removed)
    async with runtime.database.transaction() as tx:
        [mine] = (await tx.exec(select(Signup).where(Signup.person_id == removed.id))).all()
    path = f"{API}/signups/{mine.id}/removal"
    assert (await api.post(path, headers=keyed(organizer), json=REASON)).is_success
    assert [await found(one) for one in (waiting, rejected, half, taken_back, removed)] == [
        False
    ] * 5
    [award] = await propose(api, organizer, org, confirmed)
    assert (await approve(api, first, award)).is_success
    assert await found(confirmed)


async def test_a_hundred_roles_hide_none_of_elsewhere(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    city = await make_org(runtime, level=Level.city)
    street = await make_org(runtime, parent=city, level=Level.street)
    admin, superior = [await make_administrator(runtime, one.id) for one in (street, city)]
    await sign_up(runtime, await make_activity(runtime, org=street), superior)
    below = [await make_org(runtime, parent=street, level=Level.community) for _ in range(34)]
    async with runtime.database.transaction() as tx:
        for org in below:
            for role in (Role.organizer, Role.auditor, Role.administrator):
                await appoint(tx, superior.id, role, org=org.id)

    refused = await post(api, admin, street, superior, "suspension")

    assert_refused(refused, 409, "members.role_elsewhere")
    assert refused.json()["facts"]["org_id"] == str(city.id)


async def test_nobody_suspends_oneself_or_the_last_administrator(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    city = await make_org(runtime, level=Level.city)
    admin, other = [await make_administrator(runtime, city.id) for _ in range(2)]
    await sign_up(runtime, await make_activity(runtime, org=city), admin, other)
    for verb in ("suspension", "restoration", "card/suspension", "card/restoration"):
        assert_refused(await post(api, admin, city, admin, verb), 403, "members.own")
    assert (await post(api, admin, city, other, "suspension")).status_code == 200
    own = (await api.get(f"{API}/me", headers=admin.headers)).json()["roles"][0]["id"]
    last = await api.delete(f"{API}/me/roles/{own}", headers=admin.headers)
    assert_refused(last, 409, "roles.last_administrator")


async def test_guesses_of_cards_run_out(scratch: ScratchFactory) -> None:
    async with limited(scratch) as (api, runtime):
        org = await make_org(runtime)
        admin, person = await make_administrator(runtime, org.id), await member_of(runtime, org)
        path = f"{API}/people"
        unknown = [card_number(MAX_SERIAL - place) for place in range(CARD_GUESS.burst)]
        for number in unknown:
            params = {"card_no": number, "org_id": str(org.id)}
            reply = await api.get(path, headers=admin.headers, params=params)
            assert_refused(reply, 404, "people.not_found")
        right = {"card_no": await card_no(api, person), "org_id": str(org.id)}
        spent = await api.get(path, headers=admin.headers, params=right)
        assert_refused(spent, 429, "request.rate_limited")
        async with runtime.database.read() as tx:
            query = select(AuditEntry.id).where(AuditEntry.verb == "searched")
            assert (await tx.exec(query)).all() == []
