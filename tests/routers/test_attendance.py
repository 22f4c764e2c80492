"""Attendance: organizers read who signed up and who came, and remove a sign-up."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.api.guesses import CARD_GUESS
from app.core.clock import local_time, now
from app.models.activities import Activity
from app.models.cards import MAX_SERIAL, card_number, masked_number
from app.models.checkins import CheckinMethod
from app.models.people import Role
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.factories.activities import (
    current_code,
    make_activity,
    make_attended,
    sign_up,
)
from tests.factories.exports import FORMS, PURPOSE, exported
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.organizing import Desk
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
    make_with_role,
)
from tests.factories.presences import come, leave, only_checkin
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.routers.test_card_guesses import card_no
from tests.routers.test_co_organizers import add
from tests.routers.test_corrections import annul
from tests.routers.test_limits import limited
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation               rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listActivitySignups     person  401    403   403  403     403   404     200+   200+    200+  404       404=activities.not_found
listActivityCheckins    person  401    403   403  403     403   404     200+   200+    200+  404       404=activities.not_found
removeSignup            person  401    403   403  403     403   404     200+   403     200+  404       404=signups.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {
    "query.card_no",  # with its check digit
    "people.not_found",
    "attendance.own",
    "attendance.checked_in",
    "signups.too_late_to_cancel",
}
REASON = {"reason": "未满十六周岁"}


async def _signed_up(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home)
    path = f"activities/{activity.id}/signups"
    made = await world.post("alice", path, {})
    return Ask({"activity_id": str(activity.id), "signup_id": made["id"]}, REASON)


async def _checked_in(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home)
    await sign_up(world.runtime, activity, world.alice)
    await world.post("alice", "checkins", {"code": current_code(world.runtime, activity)})
    return Ask({"activity_id": str(activity.id)})


REQUESTS = {
    "listActivitySignups": _signed_up,
    "listActivityCheckins": _checked_in,
    "removeSignup": _signed_up,
}


async def _came(api: httpx.AsyncClient, runtime: Runtime) -> tuple[Activity, TestPerson, str, str]:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    [signup] = await walk(api, f"{API}/me/signups", person.headers)
    code = {"code": current_code(runtime, activity)}
    came = await api.post(f"{API}/checkins", headers=keyed(person), json=code)
    return activity, person, signup["id"], came.json()["checkin"]["checked_in_at"]


async def _cancel_when_there(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    _, person, signup, came_at = await _came(api, runtime)
    return Refused(person, "DELETE", f"/signups/{signup}", {"checked_in_at": came_at})


async def _remove_who_came(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    activity, _, signup, came_at = await _came(api, runtime)
    organizer = await make_organizer(runtime, activity.org_id)
    facts = {"checked_in_at": came_at}
    path = f"/signups/{signup}/removal"
    return Refused(organizer, "POST", path, facts, REASON)


REFUSED = {
    "signups.checked_in": _cancel_when_there,
    "attendance.checked_in": _remove_who_came,
}


async def known(setup: Setup) -> Known:
    activity = await make_activity(setup.runtime, org=setup.org)
    path = f"/activities/{activity.id}/signups"
    made = [await setup.post(one, path) for one in setup.others]
    return {"activity_id": [str(activity.id)], "signup_id": [one["id"] for one in made]}


@pytest.fixture
async def desk(api: httpx.AsyncClient, runtime: Runtime) -> Desk:
    return await Desk(api, runtime).open(capacity=2)


async def listed(
    desk: Desk, kind: str, caller: TestPerson | None = None, **query: Any
) -> list[dict[str, Any]]:
    path = f"{API}/activities/{desk.activity.id}/{kind}"
    return await walk(desk.api, path, (caller or desk.organizer).headers, **query)


async def removed(desk: Desk, signup_id: str, caller: TestPerson | None = None) -> httpx.Response:
    path = f"{API}/signups/{signup_id}/removal"
    return await desk.api.post(path, headers=keyed(caller or desk.organizer), json=REASON)


async def test_lists_show_who_signed_up_and_who_came(desk: Desk) -> None:
    came, gone, waits, also = [
        await make_person(desk.runtime, name) for name in ("王小四", "李雷", "韩梅梅", "王五")
    ]
    await sign_up(desk.runtime, desk.activity, came, gone, waits, also)
    assert (await desk.check_in(came)).status_code == 201
    auditor = await make_with_role(desk.runtime, Role.auditor, org=desk.org.id)
    helper = await make_person(desk.runtime)
    await add(desk.api, desk.organizer, desk.activity.id, helper)
    card = await card_no(desk.api, waits)

    read = await listed(desk, "signups", limit=3)
    assert [one["id"] for one in read] == sorted(one["id"] for one in read)
    by_person = {one["person_id"]: one for one in read}
    shown = [by_person[str(one.id)] for one in (came, gone, waits, also)]
    assert [(one["display_name"], one["status"], one["position"]) for one in shown] == [
        ("王小四", "confirmed", None),
        ("李雷", "confirmed", None),
        ("韩梅梅", "waitlisted", 1),
        ("王五", "waitlisted", 2),
    ]
    assert [bool(one["checked_in_at"]) for one in shown] == [True, False, False, False]
    assert (shown[2]["person_id"], shown[2]["card_no"][-4:]) == (str(waits.id), card[-4:])
    assert shown[2]["card_no"][:-4] == "*" * 9
    searches: list[tuple[dict[str, str], list[dict[str, Any]]]] = [
        ({"q": "王"}, [one for one in read if one in (shown[0], shown[3])]),
        ({"card_no": card}, [shown[2]]),
        ({"status": "waitlisted", "q": "五"}, [shown[3]]),
        ({"status": "cancelled"}, []),
    ]
    for query, expected in searches:
        assert await listed(desk, "signups", helper, **query) == expected
    masked = {one["display_name"] for one in await listed(desk, "signups", auditor)}
    assert masked == {"王*四", "*雷", "韩*梅", "*五"}
    # A search by name would confirm a name that was guessed.
    for kind in ("signups", "checkins", "signups.csv", "checkins.xlsx"):
        path = f"/api/v1/activities/{desk.activity.id}/{kind}"
        asked = {"q": "小"} | (PURPOSE if "." in kind else {})
        guess = await desk.api.get(path, headers=auditor.headers, params=asked)
        assert_refused(guess, 422, "request.invalid")
        assert [one["field"] for one in guess.json()["errors"]] == ["query.q"], kind
    assert len(await listed(desk, "signups", auditor, card_no=card)) == 1

    [attendee] = await listed(desk, "checkins")
    assert (attendee["display_name"], attendee["state"]) == ("王小四", "available")
    assert (attendee["points"], attendee["minutes"], attendee["distance_m"]) == (4, 120, None)
    assert await listed(desk, "checkins", q="李") == []
    assert await listed(desk, "checkins", state="pending") == []
    [hidden] = await listed(desk, "checkins", auditor, state="available")
    assert hidden == attendee | {"display_name": "王*四"}


async def test_the_files_are_as_the_lists_and_on_record(desk: Desk) -> None:
    person = await make_person(desk.runtime, "王小四")
    await sign_up(desk.runtime, desk.activity, person)
    await desk.check_in(person)
    number = masked_number(int((await card_no(desk.api, person))[2:12]))
    for kind, state in (("signups", "已确认"), ("checkins", "已到账")):
        for form in FORMS:
            path = f"/activities/{desk.activity.id}/{kind}"
            [row] = await exported(desk.api, path, form, desk.organizer, q="王")
            names = ("姓名", "青享卡号", "状态" if kind == "signups" else "积分状态")
            assert [row[name].removeprefix("'") for name in names] == ["王小四", number, state]
    admin = await make_administrator(desk.runtime, desk.org.id)
    told = [one for one in await entries(desk.api, admin, desk.org) if one["verb"] == "exported"]
    assert [one["facts"]["list"] for one in told] == [
        f"/activities/{desk.activity.id}/{kind}" for kind in ("checkins",) * 2 + ("signups",) * 2
    ]
    assert {(one["org_id"], *one["fields"]) for one in told} == {(str(desk.org.id), "q")}


async def test_who_is_removed_gives_the_place_to_the_first_who_waits(desk: Desk) -> None:
    first, second, waits, last = [await make_person(desk.runtime) for _ in range(4)]
    await sign_up(desk.runtime, desk.activity, first, second, waits, last)
    ids = {one["person_id"]: one["id"] for one in await listed(desk, "signups")}

    gone = await removed(desk, ids[str(first.id)])
    again = await removed(desk, ids[str(first.id)])
    quiet = await removed(desk, ids[str(last.id)])

    assert gone.status_code == 200, gone.text
    assert again.json() == gone.json()
    assert (gone.json()["status"], quiet.json()["status"]) == ("cancelled", "cancelled")
    assert await desk.states(second, waits) == [("confirmed", None)] * 2
    stand = await listed(desk, "signups", status="confirmed")
    assert {one["person_id"] for one in stand} == {str(second.id), str(waits.id)}
    assert await listed(desk, "signups") == stand
    left = await listed(desk, "signups", status="cancelled")
    assert {one["person_id"] for one in left} == {str(first.id), str(last.id)}
    assert all(one["cancelled_at"] for one in left)
    [notice] = await inbox(desk.api, desk.runtime, first)
    assert (notice["kind"], REASON["reason"] in notice["text"]) == ("attendance_removed", True)
    assert [one["kind"] for one in await inbox(desk.api, desk.runtime, waits)] == ["promoted"]
    admin = await make_administrator(desk.runtime, desk.org.id)
    told = [one for one in await entries(desk.api, admin, desk.org) if one["verb"] == "removed"]
    assert [one["subject"]["id"] for one in told] == [ids[str(last.id)], ids[str(first.id)]]
    assert {one["reason"] for one in told} == {REASON["reason"]}
    assert [one["from"] for one in told] == ["waitlisted", "confirmed"]
    await assert_ledger_verifies(desk.runtime)


async def test_who_came_or_began_stays(api: httpx.AsyncClient, runtime: Runtime) -> None:
    desk = await Desk(api, runtime).open(starts_at=now() - timedelta(minutes=1))
    came, late = await desk.attended(), await make_person(runtime)
    await sign_up(runtime, desk.activity, late, desk.organizer)
    ids = {one["person_id"]: one["id"] for one in await listed(desk, "signups")}
    own = ids[str(desk.organizer.id)]
    assert_refused(await removed(desk, ids[str(came.id)]), 409, "attendance.checked_in")
    assert_refused(await removed(desk, ids[str(late.id)]), 409, "signups.too_late_to_cancel")
    assert_refused(await removed(desk, own), 403, "attendance.own")
    assert_refused(await removed(desk, own, came), 403, "auth.forbidden")
    other = await Desk(api, runtime).open()
    assert_refused(await removed(other, ids[str(late.id)]), 404, "signups.not_found")
    assert [one["status"] for one in await listed(desk, "signups")] == ["confirmed"] * 3


async def test_the_file_of_checkins_says_all_of_a_presence_in_chinese(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    desk = await Desk(api, runtime).open(checks_out=True)
    left, annulled, walker = [await make_person(runtime, name) for name in ("甲", "乙", "丙")]
    await sign_up(runtime, desk.activity, left, annulled)
    await come(runtime, desk.activity, annulled)
    await annul(api, desk.organizer, await only_checkin(runtime, desk.activity))
    await come(runtime, desk.activity, left)
    gone = await leave(runtime, desk.activity, left)
    by_hand = {"method": CheckinMethod.steward, "recorded_by": desk.organizer.id}
    await come(runtime, desk.activity, walker, may_walk_in=True, **by_hand)
    gone_at = f"{local_time(gone.result.checkin.checked_out_at)}"

    for form in FORMS:
        path = f"/activities/{desk.activity.id}/checkins"
        rows = {row["姓名"]: row for row in await exported(desk.api, path, form, desk.organizer)}
        names = ("签到方式", "签退时间", "签退方式", "现场参加", "已作废", "更正原因")
        told = {name: [row[column] for column in names] for name, row in rows.items()}
        assert told["甲"] == ["动态签到码", gone_at, "扫码签退", "否", "否", ""]
        assert told["乙"] == ["动态签到码", "", "组织者更正", "否", "是", "代签，本人未到场"]
        assert told["丙"] == ["工作人员扫码", "", "", "是", "否", ""]


async def test_unknown_cards_are_guesses(scratch: ScratchFactory) -> None:
    async with limited(scratch) as (api, runtime):
        desk = await Desk(api, runtime).open()
        person, stranger = await make_person(runtime), await make_person(runtime)
        await sign_up(runtime, desk.activity, person)
        path, headers = f"{API}/activities/{desk.activity.id}/signups", desk.organizer.headers
        known = await card_no(api, person)
        cards = [await card_no(api, stranger)]
        cards += [card_number(MAX_SERIAL - n) for n in range(CARD_GUESS.burst)]
        for n, card in enumerate(cards[: CARD_GUESS.burst]):
            sister = path if n % 2 else f"{path}.csv"
            query = {"card_no": card} | ({} if sister == path else PURPOSE)
            told = await api.get(sister, headers=headers, params=query)
            assert_refused(told, 404, "people.not_found")
        for card in (cards[-1], known):
            spent = await api.get(path, headers=headers, params={"card_no": card})
            assert_refused(spent, 429, "request.rate_limited")
