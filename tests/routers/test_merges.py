"""Merges of two accounts of one person: what goes over, who decides, and what stands in the way."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlmodel import select

from app.core.clock import now
from app.core.language import CLOSED_ACCOUNT
from app.jobs import merges as job
from app.models.cards import CardStatus, serial_of
from app.models.ledger import Purpose
from app.models.merges import Merge
from app.models.orgs import Level, Org
from app.models.people import Person, Role
from app.models.signups import Signup
from app.queries import leaderboards
from app.queries.awards import granting
from app.runtime import Runtime
from app.services import erasures, people
from app.services.awards import caps
from app.services.cards import CODE_LIFETIME
from app.services.ledger.types import MINUTES
from app.services.merges.deciding import LAPSES_AFTER
from tests.factories.activities import make_activity, sign_up
from tests.factories.awards import (
    give_award,
    reverse,
)
from tests.factories.clock import travel
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, bearer, keyed, log_in
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance, give_points, make_debt
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    appoint,
    make_administrator,
    make_person,
    make_with_role,
)
from tests.factories.points import refund, spend
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import (
    make_card_codes,
    make_counter,
    make_reward,
    reserve,
    set_card_status,
)
from tests.routers.test_audit import entries
from tests.routers.test_members import member_of
from tests.routers.test_roles import card_no, give
from tests.security.schema_world import FEW, OUTLIVES_THE_RUN, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MERGES = f"{API}/people/merges"
WHY = "本人持两张卡到窗口核对"
MATRIX = """
operation     rule           nobody alice bob  counter rival sibling parent auditor admin outsider
proposeMerge  administrator  401    403   403  403     403   403     403    403     201+  403
listMerges    auditor        401    403   403  403     403   403     403    200+    200+  403
getMerge      auditor        401    403   403  403     403   403     403    200+    200+  404  404=merges.not_found
confirmMerge  administrator  401    403   403  403     403   403     403    403     200+  404  404=merges.not_found
rejectMerge   administrator  401    403   403  403     403   403     403    403     200+  404  404=merges.not_found
"""  # noqa: E501 - a table
HERS = {"merges": "kept_id = :alice"}
BEYOND_THE_SCHEMA = {
    *("body.kept_code", "cards.code_invalid", "cards.code_used", "merges.proposed"),
}


async def propose(
    api: httpx.AsyncClient, caller: TestPerson, org: Org, absorbed: TestPerson, kept: TestPerson
) -> httpx.Response:
    body = await asked(api, org, absorbed, kept)
    return await api.post(MERGES, headers=keyed(caller), json=body)


async def asked(
    api: httpx.AsyncClient, org: Org, absorbed: TestPerson, kept: TestPerson
) -> dict[str, str]:
    """Return the body of a proposal, with the codes that the two cards show."""
    codes = [
        (await api.get(f"{API}/me/card/code", headers=one.headers)).json()["code"]
        for one in (absorbed, kept)
    ]
    names = ("org_id", "absorbed_code", "kept_code", "reason")
    return dict(zip(names, (str(org.id), *codes, WHY), strict=True))


async def proposed(
    api: httpx.AsyncClient, caller: TestPerson, org: Org, absorbed: TestPerson, kept: TestPerson
) -> str:
    made = await propose(api, caller, org, absorbed, kept)
    assert made.status_code == 201, made.text
    found: str = made.json()["id"]
    return found


async def confirm(api: httpx.AsyncClient, caller: TestPerson, merge_id: str) -> httpx.Response:
    return await api.post(f"{MERGES}/{merge_id}/confirmation", headers=keyed(caller))


async def pair(runtime: Runtime, org: Org) -> tuple[TestPerson, TestPerson]:
    return await member_of(runtime, org, "王小四"), await member_of(runtime, org, "王四")


async def merged(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, absorbed: TestPerson, kept: TestPerson
) -> dict[str, Any]:
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    done = await confirm(api, second, await proposed(api, first, org, absorbed, kept))
    assert done.status_code == 200, done.text
    shown: dict[str, Any] = done.json()
    return shown


async def _hers(world: World) -> Ask:
    """Alice's account stays; the other account is a member's of home."""
    await sign_up(world.runtime, await make_activity(world.runtime, org=world.home), world.alice)
    other = await member_of(world.runtime, world.home)
    async with world.runtime.database.transaction() as tx:  # some worlds make alice one
        await appoint(tx, other.id, Role.organizer, org=world.home.id)
    return Ask(body=await asked(world.api, world.home, other, world.alice))


async def _proposed(world: World) -> Ask:
    admin = await make_administrator(world.runtime, world.home.id)
    made = await world.api.post(MERGES, headers=keyed(admin), json=(await _hers(world)).body)
    assert made.status_code == 201, made.text
    ids = {"merge_id": made.json()["id"]}
    return Ask(ids, {"reason": "并非同一人"})


async def _listed(world: World) -> Ask:
    return Ask((await _proposed(world)).ids, query={"org_id": str(world.home.id)})


async def _to_confirm(world: World) -> Ask:
    return Ask((await _proposed(world)).ids)


REQUESTS = {
    "proposeMerge": _hers,
    "listMerges": _listed,
    "getMerge": _to_confirm,
    "confirmMerge": _to_confirm,
    "rejectMerge": _proposed,
}


async def _twice(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    admin, (absorbed, kept) = await make_administrator(runtime, org.id), await pair(runtime, org)
    made = (await propose(api, admin, org, absorbed, kept)).json()
    body = await asked(api, org, absorbed, kept)
    facts = {"merge_id": made["id"], "closes_at": made["lapses_at"]}
    return Refused(admin, "POST", "/people/merges", facts, body)


async def _open(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    """A reservation waits, and the kept account is about to be closed."""
    org = await make_org(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    absorbed, kept = await pair(runtime, org)
    await give_points(runtime, absorbed.id, 30, org=org.id)
    reward = await make_reward(runtime, await make_counter(runtime, org=org))
    await reserve(runtime, absorbed.id, reward)
    assert (await api.delete(f"{API}/me", headers=keyed(kept))).status_code == 200
    merge_id = await proposed(api, first, org, absorbed, kept)
    nothing = dict.fromkeys(("awards", "cases", "deductions", "suspended"), 0)
    facts = {"reservations": 1, "closures": 1} | nothing
    return Refused(second, "POST", f"/people/merges/{merge_id}/confirmation", facts)


async def _of_the_kept_alone(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    """The kept person is an organizer without an end; the other one until tomorrow."""
    org = await make_org(runtime)
    admin, (absorbed, kept) = await make_administrator(runtime, org.id), await pair(runtime, org)
    async with runtime.database.transaction() as tx:
        await appoint(tx, kept.id, Role.organizer, org=org.id)
    until = (now() + timedelta(days=1)).isoformat()
    given = await give(api, admin, absorbed, org, role="organizer", until=until)
    assert given.status_code == 201, given.text
    facts = {"org_id": str(org.id), "org_name": org.name, "role": "organizer"}
    return Refused(admin, "POST", "/people/merges", facts, await asked(api, org, absorbed, kept))


REFUSED = {
    "merges.proposed": _twice,
    "merges.blocked": _open,
    "merges.kept_role": _of_the_kept_alone,
}


async def known(setup: Setup) -> Known:
    admin = await make_administrator(setup.runtime, setup.org.id)
    pairs = [await pair(setup.runtime, setup.org) for _ in range(3)]
    made = [await proposed(setup.api, admin, setup.org, *two) for two in pairs]
    codes = [
        await make_card_codes(setup.runtime, one, FEW, OUTLIVES_THE_RUN)
        for one in await pair(setup.runtime, setup.org)
    ]
    return {"merge_id": made, "absorbed_code": codes[0], "kept_code": codes[1]}


async def _lots(runtime: Runtime, person: TestPerson) -> list[tuple[int, int]]:
    """Read what is left of a person's lots, and in how many days they end."""
    query = """
        SELECT l.remaining, l.expires_at FROM ledger_lots l
        JOIN ledger_accounts a ON a.id = l.account_id
        WHERE a.owner_id = :person AND l.remaining > 0 ORDER BY l.expires_at
    """
    async with runtime.database.read() as tx:
        rows = await tx.fetch(query, {"person": person.id})
    return [(row.remaining, round((row.expires_at - now()) / timedelta(days=1))) for row in rows]


async def test_everything_of_one_account_is_the_others_afterwards(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    absorbed, kept = await pair(runtime, org)
    for points, days in ((30, 10), (20, 60)):
        end = now() + timedelta(days=days)
        await give_points(runtime, absorbed.id, points, org=org.id, expires_at=end)
    await make_debt(runtime, kept.id, 40, org=org.id)
    await give_award(runtime, absorbed, org, points=0, minutes=90)
    async with runtime.database.transaction() as tx:
        await appoint(tx, absorbed.id, Role.organizer, org=org.id)
    shared, single = [await make_activity(runtime, org=org, capacity=1) for _ in "ab"]
    await sign_up(runtime, shared, absorbed, kept)
    await sign_up(runtime, single, absorbed)

    shown = await merged(api, runtime, org, absorbed, kept)

    assert (shown["points"], shown["minutes"], shown["debt"]) == (50, 90, 0)
    assert await _lots(runtime, kept) == [(10, 60)], "the debt took what ends first"
    assert await balance(runtime, kept.id, Purpose.debt) == 0
    assert await balance(runtime, kept.id, unit=MINUTES) == 90
    assert await balance(runtime, absorbed.id) == 0
    theirs = select(Signup.activity_id, Signup.status).where(Signup.person_id == kept.id)
    async with runtime.database.read() as tx:
        signups = {row for row in await tx.exec(theirs) if row[1] != "cancelled"}
        [card] = await tx.fetch(
            "SELECT status FROM cards WHERE person_id = :id", {"id": absorbed.id}
        )
    assert {(shared.id, "confirmed"), (single.id, "confirmed")} <= signups
    assert card.status == "suspended"
    assert_refused(await api.get(f"{API}/me", headers=absorbed.headers), 401, "auth.token_invalid")
    assert (await inbox(api, runtime, kept))[0]["kind"] == "merge_confirmed"
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    verbs = [one["verb"] for one in await entries(api, auditor, org)]
    assert {"dismissed", "suspended", "moved", "created"} <= set(verbs)
    files = [
        await exported(api, "/people/merges", form, auditor, org_id=str(org.id)) for form in FORMS
    ]
    assert [row["状态"] for [row] in files] == ["已合并"] * 2
    await assert_ledger_verifies(runtime)


async def test_a_debt_goes_over_and_is_paid_from_the_others_points(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    absorbed, kept = await pair(runtime, org)
    await make_debt(runtime, absorbed.id, 40, org=org.id)
    await give_points(runtime, kept.id, 25, org=org.id)
    shown = await merged(api, runtime, org, absorbed, kept)
    assert (shown["points"], shown["debt"]) == (0, 40)
    assert await balance(runtime, absorbed.id, Purpose.debt) == 0
    assert await balance(runtime, kept.id) == 0
    assert await balance(runtime, kept.id, Purpose.debt) == -15
    await assert_ledger_verifies(runtime)


async def test_what_comes_later_to_the_absorbed_account_is_moved_on(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A refund, and the reversal of an award: it takes the kept person's points."""
    org = await make_org(runtime)
    absorbed, kept = await pair(runtime, org)
    award = await give_award(runtime, absorbed, org, points=8, minutes=60)
    counter = await make_counter(runtime, org=org)
    charge = await spend(api, runtime, absorbed, 3, counter)
    await merged(api, runtime, org, absorbed, kept)
    last = await member_of(runtime, org, "王四四")
    await merged(api, runtime, org, kept, last)
    assert await balance(runtime, last.id) == 5

    await refund(api, counter, charge)
    assert await balance(runtime, absorbed.id) == 3
    while await job.sweep(runtime):
        pass
    assert (await balance(runtime, absorbed.id), await balance(runtime, last.id)) == (0, 8)
    assert (await inbox(api, runtime, last))[0]["kind"] == "points_refunded"
    await assert_ledger_verifies(runtime)

    admin = await make_administrator(runtime, org.id)
    reversed_ = await reverse(api, admin, award)
    assert reversed_.status_code == 201, reversed_.text
    assert reversed_.json()["from_available"] == 8
    assert await balance(runtime, last.id) == 0
    assert await balance(runtime, last.id, unit=MINUTES) == 0
    await assert_ledger_verifies(runtime)


async def test_the_login_of_either_account_reaches_the_one_that_stays(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, users = await make_org(runtime), [f"merging-{now().timestamp()}-{n}" for n in "ab"]
    logins = [await log_in(api, user) for user in users]
    absorbed, kept = [
        TestPerson(UUID(one["person"]["id"]), "", bearer(one["access_token"])) for one in logins
    ]
    await sign_up(runtime, await make_activity(runtime, org=org), absorbed, kept)
    number = await card_no(api, absorbed)
    await merged(api, runtime, org, absorbed, kept)
    token = {"refresh_token": logins[0]["refresh_token"]}
    refreshed = await api.post(f"{API}/auth/refresh", json=token)
    assert_refused(refreshed, 401, "auth.token_invalid")
    again = await log_in(api, users[0])
    assert (again["person"]["id"], again["is_new"]) == (str(kept.id), False)
    async with runtime.database.read() as tx:
        assert await people.holder(tx, serial_of(number)) == kept.id, "the old card is read so"


async def test_caps_and_boards_count_both_accounts_as_one_person(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    absorbed, kept = await pair(runtime, org)
    for one in (absorbed, kept):
        await give_award(runtime, one, org, points=7, minutes=0)
    await merged(api, runtime, org, absorbed, kept)
    at = now()
    async with runtime.database.read() as tx:
        found = await granting.tallies(tx, [kept.id], caps.spans(at))
        earned, _ = await granting.totals(tx, kept.id, 1, at - timedelta(days=30))
        top = await leaderboards.top(
            tx, org.path, at - timedelta(days=1), unit=1, born_until=at.date(), limit=10
        )
    assert sum(one.year for one in found[kept.id, 1].values()) == 14
    assert earned == 14
    assert top == [(kept.id, 14)]


async def test_two_administrators_decide_and_neither_about_their_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    absorbed, kept = await pair(runtime, org)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    for one, other in ((first, kept), (absorbed, first)):
        assert_refused(await propose(api, first, org, one, other), 403, "merges.own")
    same = await propose(api, first, org, kept, kept)
    assert same.json()["errors"][0]["field"] == "body.kept_code"
    stranger = await make_person(runtime)
    assert_refused(await propose(api, first, org, stranger, kept), 404, "people.not_found")
    superior = await member_of(runtime, org)
    async with runtime.database.transaction() as tx:
        await appoint(tx, superior.id, Role.organizer, org=street.id)
    refused = await propose(api, first, org, absorbed, superior)
    assert_refused(refused, 409, "members.role_elsewhere")

    merge_id = await proposed(api, first, org, absorbed, kept)
    assert_refused(await confirm(api, first, merge_id), 403, "merges.own")
    told = [(await inbox(api, runtime, one))[0]["kind"] for one in (absorbed, kept, second)]
    assert told == ["merge_proposed", "merge_proposed", "merges_waiting"]
    answer = {"reason": "并非同一人"}
    done = await api.post(f"{MERGES}/{merge_id}/rejection", headers=keyed(second), json=answer)
    assert (done.json()["state"], done.json()["answer"]) == ("rejected", "并非同一人")
    assert_refused(await confirm(api, second, merge_id), 409, "merges.wrong_state")
    late = await proposed(api, first, org, absorbed, kept)
    over = now() + LAPSES_AFTER + timedelta(minutes=1)
    with travel(over):
        third = await make_administrator(runtime, org.id)
        assert_refused(await confirm(api, third, late), 409, "merges.wrong_state")
        await job.lapse(runtime)
    got = await api.get(f"{MERGES}/{late}", headers=second.headers)
    assert (got.json()["state"], got.json()["settled_by"]) == ("lapsed", None)
    await assert_ledger_verifies(runtime)


async def test_both_cards_are_shown_and_their_codes_used_up(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    admin, (absorbed, kept) = await make_administrator(runtime, org.id), await pair(runtime, org)
    shown = await asked(api, org, absorbed, kept)
    for field in ("absorbed_code", "kept_code"):
        numbers = shown | {field: await card_no(api, kept)}
        refused = await api.post(MERGES, headers=keyed(admin), json=numbers)
        assert_refused(refused, 422, "cards.code_invalid")
    with travel(now() + CODE_LIFETIME):
        late = await api.post(MERGES, headers=keyed(admin), json=shown)
    assert_refused(late, 422, "cards.code_invalid")
    made = await api.post(MERGES, headers=keyed(admin), json=shown)
    assert made.status_code == 201, made.text
    for field in ("absorbed_code", "kept_code"):
        used = await asked(api, org, absorbed, kept) | {field: shown[field]}
        again = await api.post(MERGES, headers=keyed(admin), json=used)
        assert_refused(again, 409, "cards.code_used")


async def test_nobody_gets_a_role_by_a_merge(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Also one that the kept person got between the proposal and its confirmation."""
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    first, second = [await make_administrator(runtime, street.id) for _ in "ab"]
    absorbed, kept = await pair(runtime, org)
    merge_id = await proposed(api, first, street, absorbed, kept)
    async with runtime.database.transaction() as tx:
        await appoint(tx, kept.id, Role.organizer, org=street.id)
        await appoint(tx, absorbed.id, Role.organizer, org=org.id)
    assert_refused(await confirm(api, second, merge_id), 409, "merges.kept_role")
    assert_refused(await propose(api, first, street, absorbed, kept), 409, "merges.kept_role")
    counter = await make_counter(runtime, org=org)
    async with runtime.database.transaction() as tx:
        await appoint(tx, kept.id, Role.merchant_staff, merchant=counter.merchant.id)
        await appoint(tx, absorbed.id, Role.organizer, org=street.id)
    assert_refused(await confirm(api, second, merge_id), 409, "merges.kept_role")
    async with runtime.database.transaction() as tx:
        await appoint(tx, absorbed.id, Role.merchant_staff, merchant=counter.merchant.id)
    assert (await confirm(api, second, merge_id)).status_code == 200


async def test_an_account_whose_card_is_suspended_is_not_merged(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    for place in range(2):
        two = await pair(runtime, org)
        merge_id = await proposed(api, first, org, *two)
        async with runtime.database.transaction() as tx:
            await set_card_status(tx, two[place].id, CardStatus.suspended)
        refused = await confirm(api, second, merge_id)
        assert_refused(refused, 409, "merges.blocked")
        assert refused.json()["facts"]["suspended"] == 1


async def test_who_is_erased_is_erased_with_the_account_that_was_merged(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    absorbed, kept = await pair(runtime, org)
    await give_award(runtime, absorbed, org, points=5, minutes=0)
    merge = await merged(api, runtime, org, absorbed, kept)
    async with runtime.database.transaction() as tx:
        await erasures.erase(tx, [kept.id], now())
    async with runtime.database.read() as tx:
        rows = await tx.exec(
            select(Person.display_name, Person.merged_into_id).where(Person.id == absorbed.id)
        )
        assert rows.one() == (CLOSED_ACCOUNT.zh, kept.id)
        found = await tx.get(Merge, UUID(merge["id"]))
    assert found is not None
    assert found.reason is None
    await assert_ledger_verifies(runtime)
