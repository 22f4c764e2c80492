"""Linked places: a poster in a shop, scanned there once a day, gives points by a rule."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import local_date, now
from app.models.agreements import AgreementState
from app.models.people import Role
from app.runtime import Runtime
from app.schemas.checkins import PositionIn
from app.services import linked_places
from tests.engines import as_owner
from tests.factories.clock import noon, travel
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.linked_places import (
    PLACES,
    RULE,
    VISITS,
    check_in,
    link_body,
    make_linked,
    make_shop,
    poster_code,
)
from tests.factories.people import appoint, make_administrator, make_organizer, make_person
from tests.factories.quests import position
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter
from tests.factories.settlements import make_agreement
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation                rule       nobody alice bob  counter rival sibling parent auditor admin outsider
linkPlace                organizer  401    403   403  403     403   403     201    403     201   403
listLinkedPlaces         anyone     200    200   200  200     200   200     200    200     200   200
moveLinkedPlace          organizer  401    403   403  403     403   404     200    403     200   404       404=linked_places.not_found
getLinkedPlacePoster     organizer  401    403   403  403     403   404     200    403     200   404       404=linked_places.not_found
getLinkedPlacePosterSvg  organizer  401    403   403  403     403   404     200    403     200   404       404=linked_places.not_found
renewLinkedPlacePoster   organizer  401    403   403  403     403   404     200    403     200   404       404=linked_places.not_found
visitLinkedPlace         person     401    201+  201  201     201   201     201    201     201   201
"""  # noqa: E501 - a table
HERS = {"linked_places": "created_by = :alice", "linked_place_visits": "person_id = :alice"}
BEYOND_THE_SCHEMA = {
    "body.rule_key",  # of the policy in force
    "linked_places.wrong_state",
    "linked_places.exists",
    "linked_places.not_in_force",
    "linked_places.code_invalid",
    "linked_places.location_missing",
    "linked_places.too_far",
    "linked_places.own",
}
END = {"state": "ended", "reason": "合作到期"}


async def _link(world: World) -> Ask:
    counter = await make_counter(world.runtime, org=world.home)
    await make_agreement(world.runtime, counter)
    return Ask(body=link_body(counter, await make_shop(world.runtime, counter)))


async def _linked(world: World) -> Ask:
    made = await make_linked(world.api, world.runtime, world.home)
    return Ask({"linked_place_id": made.id})


async def _end(world: World) -> Ask:
    return Ask((await _linked(world)).ids, END)


async def _visit(world: World) -> Ask:
    made = await make_linked(world.api, world.runtime, world.home)
    return Ask(body={"code": made.code, "location": position()})


REQUESTS = {
    "linkPlace": _link,
    "moveLinkedPlace": _end,
    "getLinkedPlacePoster": _linked,
    "getLinkedPlacePosterSvg": _linked,
    "renewLinkedPlacePoster": _linked,
    "visitLinkedPlace": _visit,
}


async def known(setup: Setup) -> Known:
    made = [await make_linked(setup.api, setup.runtime, setup.org) for _ in range(2)]
    free = [await make_shop(setup.runtime, made[0].counter) for _ in range(FEW)]
    return {
        "linked_place_id": [one.id for one in made],
        "shop_id": [str(one.id) for one in free],
        "code": [one.code for one in made],
    }


async def completion(setup: Setup) -> Completion:
    made = await make_linked(setup.api, setup.runtime, setup.org)

    def complete(body: dict[str, Any], known: Known) -> None:
        if body.get("code") in known["code"]:
            body |= {"code": made.code, "location": position()}
        if body.get("shop_id") in known["shop_id"]:
            body |= {"org_id": str(setup.org.id), "rule_key": RULE}

    return complete


async def _too_far(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    made = await make_linked(api, runtime)
    body = {"code": made.code, "location": position(4, accuracy_m=5_000)}
    facts = {"distance_m": 222, "limit": 200}
    return Refused(await make_person(runtime), "POST", "/linked-place-visits", facts, body)


REFUSED = {"linked_places.too_far": _too_far}


async def test_a_check_in_gives_points_once_a_day(api: httpx.AsyncClient, runtime: Runtime) -> None:
    with travel(noon(2)):
        made = await make_linked(api, runtime)
        person = await make_person(runtime)
        both = await asyncio.gather(*(check_in(api, person, made.code) for _ in range(2)))
        assert sorted(one.status_code for one in both) == [200, 201]
        assert both[0].json() == both[1].json()
        award = both[0].json()["award"]
        assert (award["state"], award["points"] > 0) == ("pending", True)
        assert "迷雾剧本社" in award["reason"] or award["rule_key"] == "activity_checkin"
        other = await make_linked(api, runtime)
        assert (await check_in(api, person, other.code)).status_code == 201
    with travel(noon(1)):
        where = PositionIn.model_validate(position())
        poster = linked_places.read_code(runtime.posters, made.code)
        async with runtime.database.transaction() as tx:
            again, is_new = await linked_places.visit(tx, person.id, poster, where)
        assert (is_new, again.id != UUID(both[0].json()["id"])) == (True, True)
    await assert_ledger_verifies(runtime)


async def test_only_while_linked_open_active_and_agreed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    made, person = await make_linked(api, runtime), await make_person(runtime)
    yesterday = local_date(now()) - timedelta(days=1)
    for table, change, back in (
        ("shops", "state = 'closed'", "state = 'open'"),
        ("merchants", "state = 'suspended'", "state = 'active'"),
        ("agreements", f"state = 'ended', until = '{yesterday}'", "state = 'active', until = NULL"),
    ):
        ids = {"shops": made.shop.id, "merchants": made.counter.merchant.id}
        where = f"WHERE id = '{ids.get(table, made.agreement)}'"
        await as_owner(runtime.settings, f"UPDATE {table} SET {change} {where}")  # noqa: S608
        assert_refused(await check_in(api, person, made.code), 409, "linked_places.not_in_force")
        await as_owner(runtime.settings, f"UPDATE {table} SET {back} {where}")  # noqa: S608
    path = f"{PLACES}/{made.id}/moves"
    ended = await api.post(path, headers=keyed(made.organizer), json=END)
    assert ended.json()["state"] == "ended"
    again = await api.post(path, headers=keyed(made.organizer), json=END)
    assert_refused(again, 409, "linked_places.wrong_state")
    assert_refused(await check_in(api, person, made.code), 409, "linked_places.not_in_force")
    shown = await api.get(f"{PLACES}/{made.id}/poster", headers=made.organizer.headers)
    assert_refused(shown, 409, "linked_places.wrong_state")
    listed = await api.get(PLACES, params={"org_id": str(made.counter.merchant.org_id)})
    assert listed.json()["items"] == []


async def test_staff_earn_nothing_at_their_shop_and_organizers_are_reviewed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    made = await make_linked(api, runtime)
    assert_refused(await check_in(api, made.counter.staff, made.code), 403, "linked_places.own")
    own = await check_in(api, made.organizer, made.code)
    assert (own.status_code, own.json()["award"]["state"]) == (201, "pending")
    async with runtime.database.read() as tx:
        needed = await tx.fetch(
            "SELECT reviews_needed AS n FROM awards WHERE id = CAST(:id AS uuid)",
            {"id": own.json()["award"]["id"]},
        )
        assert [row.n for row in needed] == [1]
    async with runtime.database.transaction() as tx:
        await appoint(tx, made.counter.staff.id, Role.organizer, org=made.counter.merchant.org_id)
    shop = await make_shop(runtime, made.counter)
    body = link_body(made.counter, shop)
    linked = await api.post(PLACES, headers=keyed(made.counter.staff), json=body)
    assert_refused(linked, 403, "linked_places.own")
    await assert_ledger_verifies(runtime)


async def test_the_place_and_the_newest_poster_are_needed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    made, person = await make_linked(api, runtime), await make_person(runtime)
    nowhere = await api.post(VISITS, headers=person.headers, json={"code": made.code})
    assert_refused(nowhere, 422, "linked_places.location_missing")
    assert_refused(
        await check_in(api, person, made.code, position(20)), 409, "linked_places.too_far"
    )
    path = f"{PLACES}/{made.id}/poster"
    renewed = await api.post(f"{path}/renewal", headers=keyed(made.organizer))
    assert renewed.json()["issue"] == 2
    assert_refused(await check_in(api, person, made.code), 422, "linked_places.code_invalid")
    code = await poster_code(api, made.organizer, made.id)
    assert (await check_in(api, person, code)).status_code == 201
    drawn = await api.get(f"{path}.svg", headers=made.organizer.headers)
    assert drawn.headers["content-type"] == "image/svg+xml"
    administrator = await make_administrator(runtime, made.counter.merchant.org_id)
    org = SimpleNamespace(id=made.counter.merchant.org_id)
    trail = await entries(api, administrator, org, subject="linked_place")
    assert [one["verb"] for one in trail] == ["renewed", "created"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        (lambda made: {}, 409, "linked_places.exists"),
        (lambda made: {"rule_key": "quest_complete"}, 422, "request.invalid"),
        (lambda made: {"rule_key": "nothing"}, 422, "request.invalid"),
        (lambda made: {"shop_id": str(UUID(int=7))}, 404, "shops.not_found"),
    ],
)
async def test_what_cannot_be_linked(
    api: httpx.AsyncClient,
    runtime: Runtime,
    changes: Callable[[Any], dict[str, Any]],
    status: int,
    code: str,
) -> None:
    made = await make_linked(api, runtime)
    body = link_body(made.counter, made.shop) | changes(made)
    assert_refused(await api.post(PLACES, headers=keyed(made.organizer), json=body), status, code)


async def test_a_shop_without_an_agreement_or_a_position_is_not_linked(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    shop = await make_shop(runtime, counter)
    nowhere = await make_shop(runtime, counter, latitude=None, longitude=None)
    await make_agreement(runtime, counter, state=AgreementState.proposed)
    early = await api.post(PLACES, headers=keyed(organizer), json=link_body(counter, shop))
    assert_refused(early, 409, "linked_places.not_in_force")
    await make_agreement(runtime, counter)
    late = await api.post(PLACES, headers=keyed(organizer), json=link_body(counter, nowhere))
    assert_refused(late, 409, "linked_places.not_in_force")
    made = await api.post(PLACES, headers=keyed(organizer), json=link_body(counter, shop))
    assert made.status_code == 201
