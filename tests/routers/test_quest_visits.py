"""Visits: a poster, scanned where it hangs, and in the end an award."""

import asyncio
import re
from datetime import timedelta
from itertools import cycle
from typing import Any

import httpx
import pytest

from app.core.clock import local_date, now
from app.core.geo import wgs84_to_gcj02
from app.core.poster_codes import Poster, PosterKind
from app.core.rotating_codes import Action
from app.models.ledger import Purpose
from app.runtime import Runtime
from app.services.awards.replay import Ineligibility, Replayed
from tests.factories.awards import approve
from tests.factories.clock import travel
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer, make_people, make_person
from tests.factories.policies import SHIPPED, share_units
from tests.factories.quests import (
    AN_HOUR,
    QUESTS,
    VISITS,
    checkpoint_body,
    codes_of,
    complete,
    make_quest,
    move,
    position,
    poster_path,
    visit,
)
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.routers.test_merges import merged, pair
from tests.security.schema_world import Completion, Known, Setup
from tests.security.world import Ask, World
from tests.services.test_simulation import replayed

MATRIX = """
operation        rule    nobody alice bob  counter rival sibling parent auditor admin outsider
visitCheckpoint  person  401    201+  201  201     201   201     201    201     201   201
"""
HERS = {"quest_visits": "person_id = :alice", "quest_completions": "person_id = :alice"}
BEYOND_THE_SCHEMA = {
    f"quest_visits.{code}"
    for code in ("code_invalid", "poster_replaced", "location_missing", "too_far")
}
FAR = checkpoint_body(location=checkpoint_body()["location"] | {"latitude": 32.4368})


async def _visit(world: World) -> Ask:
    organizer = await make_organizer(world.runtime, world.home.id)
    quest = await make_quest(world.api, organizer, world.home, needed=1)
    [code, *_] = await codes_of(world.api, organizer, quest)
    return Ask(body={"code": code, "location": position()})


REQUESTS = {"visitCheckpoint": _visit}


async def completion(setup: Setup) -> Completion:
    quest = await make_quest(setup.api, setup.organizer, setup.org)
    codes = cycle(await codes_of(setup.api, setup.organizer, quest))

    def complete(body: dict[str, Any], known: Known) -> None:
        if body.get("code") in known["code"]:
            body |= {"code": next(codes), "location": position(1)}

    return complete


async def _outside_window(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    late = checkpoint_body(opens_at=(now() + AN_HOUR / 2).isoformat())
    quest = await make_quest(api, organizer, org, checkpoints=[late], needed=1)
    [code] = await codes_of(api, organizer, quest)
    [one] = quest["checkpoints"]
    facts = {"opens_at": one["opens_at"], "closes_at": one["closes_at"]}
    body = {"code": code, "location": position()}
    return Refused(await make_person(runtime), "POST", "/quest-visits", facts, body)


async def _closed(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    quest = await make_quest(api, organizer, org)
    [code, *_] = await codes_of(api, organizer, quest)
    assert (await move(api, organizer, quest, "close")).status_code == 200
    facts = {"status": "closed", "opens_at": quest["starts_at"], "closes_at": quest["ends_at"]}
    body = {"code": code, "location": position()}
    return Refused(await make_person(runtime), "POST", "/quest-visits", facts, body)


async def _too_far(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    quest = await make_quest(api, organizer, org)
    [code, *_] = await codes_of(api, organizer, quest)
    # 222 m away; of an accuracy of 5 km, 100 m count.
    body = {"code": code, "location": position(4, accuracy_m=5_000)}
    facts = {"distance_m": 222, "limit": 200}
    return Refused(await make_person(runtime), "POST", "/quest-visits", facts, body)


REFUSED = {
    "quest_visits.outside_window": _outside_window,
    "quest_visits.not_open": _closed,
    "quest_visits.too_far": _too_far,
}


async def test_enough_visits_give_the_award_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    quest = await make_quest(api, organizer, org)
    codes = await codes_of(api, organizer, quest)

    first = await visit(api, person, f"https://youth.example.cn/c/{codes[0]}")
    again = await visit(api, person, codes[0], position(40))  # wherever the phone is by now
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert first.json()["mine"]["done"] == 1
    assert first.json()["mine"]["award"] is None
    second = await visit(api, person, codes[2], position(2))
    third = await visit(api, person, codes[1], position(1))

    mine = second.json()["mine"]
    award = {"points": 3, "minutes": 0, "state": "pending", "rule_key": "quest_complete"}
    assert award.items() <= mine["award"].items()
    assert [one["number"] for one in mine["visited"]] == [1, 3]
    assert mine["completed_at"] == second.json()["visit"]["visited_at"]
    assert third.json()["mine"] | {"done": 2} == mine | {"visited": third.json()["mine"]["visited"]}
    assert third.json()["mine"]["done"] == 3
    seen = await api.get(f"{QUESTS}/{quest['id']}", headers=person.headers)
    assert seen.json()["mine"] == third.json()["mine"]
    assert await balance(runtime, person.id, Purpose.pending) == 3
    told = (await inbox(api, runtime, person))[0]
    assert (told["kind"], told["subject"]) == (
        "quest_completed",
        {"type": "quest", "id": quest["id"]},
    )
    assert told["text"] == "您已完成「青年打卡江城」，3 积分待审核或等候期满后到账。"
    await assert_ledger_verifies(runtime)


async def test_a_poster_alone_is_no_proof(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    quest = await make_quest(api, organizer, org)
    old, second, third = await codes_of(api, organizer, quest)
    renewal = f"{poster_path(quest, 1)}/renewal"
    renewed = (await api.post(renewal, headers=keyed(organizer))).json()["code"]
    found = runtime.posters.check(second, PosterKind.checkpoint)
    foreign = runtime.posters.make(PosterKind.activity, found)
    nowhere = runtime.posters.make(PosterKind.checkpoint, Poster(2**31 - 1, 1))
    screen = runtime.codes.make(Action.check_in, found.serial, now().timestamp()).text

    absent = await api.post(VISITS, headers=person.headers, json={"code": second})
    assert_refused(absent, 422, "quest_visits.location_missing")
    assert_refused(await visit(api, person, old), 422, "quest_visits.poster_replaced")
    for code in (foreign, nowhere, screen, second[:-1] + "x", "https://x.cn/d/" + second):
        assert_refused(await visit(api, person, code), 422, "quest_visits.code_invalid")
    # At the edge: 100 m of the radius and 10 m of accuracy are 1.97 steps.
    edge = await visit(api, person, second, position(1 + 1.96))
    beyond = await visit(api, person, third, position(2 + 2.01))
    assert edge.status_code == 201, edge.text
    assert_refused(beyond, 409, "quest_visits.too_far")
    gps = (32.2389, 119.8215)
    latitude, longitude = wgs84_to_gcj02(*gps)
    place = checkpoint_body()["location"] | {"latitude": latitude, "longitude": longitude}
    other = await make_quest(
        api, organizer, org, checkpoints=[{"title": "x", "location": place}], needed=1
    )
    [code] = await codes_of(api, organizer, other)
    right = await visit(
        api,
        await make_person(runtime),
        code,
        position(latitude=gps[0], longitude=gps[1], coordinate_system="wgs84"),
    )
    assert right.status_code == 201, right.text
    assert (await visit(api, person, renewed)).status_code == 201


async def test_two_phones_at_once_complete_it_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, people = await make_organizer(runtime, org.id), await make_people(runtime, 5)
    quest = await make_quest(api, organizer, org)
    codes = await codes_of(api, organizer, quest)

    for person in people:
        replies = await asyncio.gather(
            *(visit(api, person, codes[n % 3], position(n % 3)) for n in range(6))
        )
        assert sorted(one.status_code for one in replies) == [200, 200, 200, 201, 201, 201]
        seen = await api.get(f"{QUESTS}/{quest['id']}", headers=person.headers)
        assert seen.json()["mine"]["done"] == 3
        assert seen.json()["mine"]["award"]["points"] == 3
        assert await balance(runtime, person.id, Purpose.pending) == 3
    await assert_ledger_verifies(runtime)


async def test_nobody_travels_so_fast(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """22 km in no time: the visit counts, and a reviewer looks at the award."""
    org = await make_org(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    fast, slow = await make_people(runtime, 2)
    there = FAR["location"]
    where = position(latitude=there["latitude"])
    quest = await make_quest(api, organizer, org, checkpoints=[checkpoint_body(), FAR])
    near, far = await codes_of(api, organizer, quest)

    await visit(api, slow, near)
    await complete(api, fast, [near])
    award = (await visit(api, fast, far, where)).json()["mine"]["award"]

    admin = await make_administrator(runtime, org.id)
    [entry] = [one for one in await entries(api, admin, org) if one["verb"] == "flagged"]
    assert (entry["actor"], entry["subject"]["type"]) == (None, "quest_visit")
    assert (await approve(api, reviewer, award)).status_code == 200
    with travel(now() + timedelta(minutes=10)):
        free = (await visit(api, slow, far, where)).json()["mine"]["award"]
    assert_refused(await approve(api, reviewer, free), 409, "awards.not_pending")
    assert [one["verb"] for one in await entries(api, admin, org)].count("flagged") == 1
    await assert_ledger_verifies(runtime)


async def test_who_fetched_a_poster_is_not_paid_by_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    author, fetcher, other = [await make_organizer(runtime, org.id) for _ in "abc"]
    quest = await make_quest(api, author, org)
    codes = await codes_of(api, fetcher, quest)

    awards = [(await complete(api, one, codes[:2]))["mine"]["award"] for one in (author, fetcher)]
    free = (await complete(api, other, codes[:2]))["mine"]["award"]

    for one, award in zip((author, fetcher), awards, strict=True):
        assert_refused(await approve(api, one, award), 403, "awards.own_award")
        assert (await approve(api, other, award)).status_code == 200
    assert_refused(await approve(api, author, free), 409, "awards.not_pending")
    await assert_ledger_verifies(runtime)


async def test_visits_of_an_absorbed_account_count(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    absorbed, kept = await pair(runtime, org)
    quest = await make_quest(api, organizer, org)
    codes = await codes_of(api, organizer, quest)
    first = await visit(api, absorbed, codes[0])
    await merged(api, runtime, org, absorbed, kept)

    again = await visit(api, kept, codes[0])
    last = await visit(api, kept, codes[1], position(1))

    assert (again.status_code, again.json()["visit"]) == (200, first.json()["visit"])
    assert last.json()["mine"]["award"]["points"] == 3
    assert await balance(runtime, kept.id, Purpose.pending) == 3
    await assert_ledger_verifies(runtime)


async def test_a_rule_that_asks_for_more_keeps_its_reviewers(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The rule asks for minutes of the meeting too, which no poster proves."""
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    person = await make_person(runtime)
    quest = await make_quest(api, organizer, org, rule_key="council_attend")
    codes = await codes_of(api, organizer, quest)

    award = (await complete(api, person, codes[:2]))["mine"]["award"]

    assert_refused(await approve(api, organizer, award), 403, "awards.own_proposal")
    assert_refused(await approve(api, other, award), 409, "awards.evidence_missing")


async def test_a_draft_of_a_policy_is_tried_on_completed_quests(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    share_units(monkeypatch)
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    quest = await make_quest(api, organizer, org)
    codes = await codes_of(api, organizer, quest)
    for one in (organizer, person):
        await complete(api, one, codes[:2])
    less = re.sub(r"(\[rules\.quest_complete\][^\[]*points = )3", r"\g<1>2", SHIPPED)
    day = local_date(now())
    days = (day - timedelta(days=1), day + timedelta(days=1))

    outcomes = await replayed(runtime, less, org, *days)
    gone = await replayed(runtime, less.replace("quest_complete", "quests"), org, *days)

    found = {act.person_id: outcome for act, outcome in outcomes}
    for one, reviewed in ((organizer, True), (person, False)):
        outcome = found[one.id]
        assert isinstance(outcome, Replayed)
        assert (outcome.points, outcome.proof, outcome.state) == (2, "poster_code", "pending")
        act = next(act for act, _ in outcomes if act.person_id == one.id)
        assert act.is_own_act is reviewed
    assert {outcome for _, outcome in gone} == {Ineligibility.no_rule}
