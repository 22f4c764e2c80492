"""Classes for minors: the list of a session is read with a trace, masked for auditors."""

from uuid import UUID

import httpx

from app.models.cards import card_number
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.erasures import names_of
from tests.factories.exports import exported
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import make_person, make_with_role
from tests.factories.presences import only_checkin
from tests.factories.rewards import make_card_codes
from tests.factories.scans import card_serial
from tests.routers.test_audit import entries
from tests.routers.test_card_guesses import card_no
from tests.routers.test_children import make_child, make_class, make_pickup
from tests.routers.test_closures import erase
from tests.routers.test_handovers import fetch, make_code, present
from tests.security.world import Ask, World

MATRIX = """
operation        rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getClassList     person  401    403   403  403     403   404     200    200     200   404       404=activities.not_found
getClassFigures  person  401    403   403  403     403   404     200    200     200   404       404=activities.not_found
"""  # noqa: E501 - a table


async def _listed(world: World) -> Ask:
    course, _ = await make_class(world.api, world.runtime, world.alice, world.home)
    return Ask({"activity_id": str(course.id)})


REQUESTS = {"getClassList": _listed, "getClassFigures": _listed}


async def test_the_class_list_tells_who_came_and_who_fetched(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian, org = await make_person(runtime, "张爱丽"), await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    admin = await make_with_role(runtime, Role.administrator, org=org.id)
    course, child, steward = await present(api, runtime, guardian, org)
    [card] = await make_card_codes(runtime, guardian, 1)
    assert (await fetch(api, steward, course, child, card_code=card)).is_success
    path = f"/activities/{course.id}/class-list"

    [shown] = (await api.get(f"/api/v1{path}", headers=steward.headers)).json()["items"]
    [masked] = (await api.get(f"/api/v1{path}", headers=auditor.headers)).json()["items"]
    [row] = await exported(api, path, "xlsx", steward)
    others = await api.get(f"/api/v1/activities/{course.id}/signups", headers=steward.headers)
    figures = await api.get(
        f"/api/v1/activities/{course.id}/class-figures", headers=steward.headers
    )

    assert (shown["display_name"], shown["fetched_by"]) == ("张小雨", "张爱丽")
    assert (shown["proof"], shown["handed_over_at"] is None) == ("guardian_card", False)
    assert (masked["display_name"], masked["fetched_by"]) == ("张*雨", "张*丽")
    assert (row["姓名"], row["接走人"], row["交接方式"]) == ("张小雨", "张爱丽", "监护人青享卡")
    assert [one["display_name"] for one in others.json()["items"]] == ["张*雨"]
    assert figures.json() == {
        "children": 1,
        "attended": 1,
        "presences": 1,
        "handovers": 1,
        "lesson_minutes": 120,
    }
    read = [one for one in await entries(api, admin, org) if one["verb"] == "class_list_read"]
    assert [one["actor"]["id"] for one in read] == [str(auditor.id), str(steward.id)]
    assert read[0]["facts"] == {"children": 1, "session": 0}


async def test_nobody_walks_in_to_a_class_and_annulled_presences_do_not_count(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian, org = await make_person(runtime), await make_org(runtime)
    course, child, steward = await present(api, runtime, guardian, org)
    second, adult = (
        await make_child(api, guardian, display_name="张小雪"),
        await make_person(runtime),
    )
    path = f"/api/v1/activities/{course.id}"
    figures = f"{path}/class-figures"

    for card in (card_number(await card_serial(runtime, UUID(second))), await card_no(api, adult)):
        body = {"action": "check_in", "card_no": card, "walk_in": True}
        told = await api.post(f"{path}/attendance", headers=keyed(steward), json=body)
        assert_refused(told, 403, "checkins.not_signed_up")
    before = (await api.get(figures, headers=steward.headers)).json()
    annul = f"/api/v1/checkins/{await only_checkin(runtime, course)}/annulment"
    assert (await api.post(annul, headers=keyed(steward), json={"reason": "误签"})).is_success
    after = (await api.get(figures, headers=steward.headers)).json()
    [listed] = (await api.get(f"{path}/class-list", headers=steward.headers)).json()["items"]

    assert (before["attended"], before["presences"], before["lesson_minutes"]) == (1, 1, 120)
    assert (after["attended"], after["presences"], after["lesson_minutes"]) == (0, 0, 0)
    assert (listed["person_id"], listed["checked_in_at"]) == (child, None)


async def test_with_the_guardian_the_children_are_erased(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian, org = await make_person(runtime), await make_org(runtime)
    course, child, steward = await present(api, runtime, guardian, org)
    code = await make_code(api, guardian, course, child, await make_pickup(api, guardian, child))
    assert (await fetch(api, steward, course, child, handover_code=code)).is_success
    assert (await api.delete("/api/v1/me", headers=keyed(guardian))).is_success
    await erase(runtime)  # the guardian
    await erase(runtime)  # the child
    assert await names_of(runtime, UUID(child)) == ["已注销用户"]
    async with runtime.database.read() as tx:
        [kept] = await tx.fetch(
            "SELECT fetcher_sealed, (SELECT count(*) FROM children WHERE person_id = :id) AS left,"
            " (SELECT cause FROM closures WHERE person_id = :id) AS cause"
            " FROM handovers WHERE child_id = :id",
            {"id": child},
        )
    assert (kept.fetcher_sealed, kept.left, kept.cause) == (None, 0, "guardian")
