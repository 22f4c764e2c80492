"""Figures of attendance: who signed up and served in a period, by direct children."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import update

from app.models.orgs import Level, Org
from app.models.people import Role
from app.models.signups import Signup
from app.runtime import Runtime
from tests.factories.activities import make_attended
from tests.factories.clock import TODAY, noon, travel
from tests.factories.exports import exported
from tests.factories.http import assert_refused
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people, make_with_role
from tests.factories.presences import come, leave
from tests.routers.test_corrections import annul, correct
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation             rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getAttendanceFigures  reader  401    403   403  403     403   403     200    200     200   403
"""
BEYOND_THE_SCHEMA = {"query.until"}
DAY = timedelta(days=1)
PERIOD = {"from": "2026-11-01", "until": "2026-11-30"}


async def _of_home(world: World) -> Ask:
    return Ask({"org_id": str(world.home.id)}, query=PERIOD)


REQUESTS = {"getAttendanceFigures": _of_home}


async def known(setup: Setup) -> Known:
    return {"org_id": [str(setup.org.id)], "from": ["2026-11-01"], "until": ["2026-11-30"]}


async def served(
    runtime: Runtime, org: Org, person: TestPerson, *, hours: float = 2, ago: int = 2
) -> Any:
    """Let a person serve at noon of a day, ``hours`` long; return the check-in."""
    begins = noon(ago)
    with travel(begins - timedelta(minutes=5)) as clock:
        activity = await make_attended(
            runtime, person, org=org, starts_at=begins, hours=4, checks_out=True
        )
        clock.move_to(begins)
        came = await come(runtime, activity, person)
        clock.move_to(begins + timedelta(hours=hours))
        await leave(runtime, activity, person)
    async with runtime.database.transaction() as tx:
        signed_up = update(Signup).where(Signup.activity_id == activity.id)  # type: ignore[arg-type]
        await tx.execute(signed_up.values(created_at=begins))
    return came.result.checkin.id


async def test_figures_are_of_the_subtree_by_child_and_by_what_holds(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, elsewhere = await make_org(runtime), await make_org(runtime)
    left, right = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    organizer = await make_organizer(runtime, street.id)
    auditor = await make_with_role(runtime, Role.auditor, org=street.id)
    one, two, three = await make_people(runtime, 3)
    await served(runtime, street, one)
    await served(runtime, left, one, ago=3)
    await served(runtime, left, two, hours=3)
    fixed = await served(runtime, right, two, ago=4)
    taken_back = await served(runtime, right, three)
    await served(runtime, right, three, ago=9)  # before the period
    await served(runtime, elsewhere, three)
    until = (noon(4) + timedelta(minutes=30)).isoformat()
    assert (await correct(api, organizer, str(fixed), checked_out_at=until)).is_success
    assert (await annul(api, organizer, str(taken_back))).is_success
    query = {"from": f"{TODAY - 8 * DAY}", "until": f"{TODAY - 2 * DAY}"}
    path = f"/orgs/{street.id}/attendance"

    found = (await api.get(f"/api/v1{path}", headers=auditor.headers, params=query)).json()

    assert figures(found["total"]) == [3, 2, 120 + 120 + 180 + 30, 4]
    assert [(item["org_id"], figures(item)) for item in found["items"]] == [
        (str(street.id), [1, 1, 120, 1]),
        *sorted(
            [(str(left.id), [2, 2, 300, 2]), (str(right.id), [2, 1, 30, 1])],
            key=lambda item: {str(left.id): left.code, str(right.id): right.code}[item[0]],
        ),
    ]
    for form in ("xlsx", "csv"):
        rows = await exported(api, path, form, auditor, **query)
        assert (rows[0]["组织"], rows[0]["服务人次"]) == (street.name, "1")
        assert [rows[-1][name] for name in ("组织", "招募人数", "上岗人数", "服务人次")] == [
            *("合计", "3", "2", "4")
        ]


def figures(shown: dict[str, Any]) -> list[int]:
    return [shown[name] for name in ("recruited", "on_duty", "minutes", "person_times")]


@pytest.mark.parametrize(("days", "status"), [(0, 200), (365, 200), (366, 422), (-1, 422)])
async def test_a_period_has_at_most_366_days(
    api: httpx.AsyncClient, runtime: Runtime, days: int, status: int
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    query = {"from": "2024-01-01", "until": f"{date(2024, 1, 1) + days * DAY}"}
    reply = await api.get(
        f"/api/v1/orgs/{org.id}/attendance", headers=organizer.headers, params=query
    )
    assert reply.status_code == status
    if status == 422:
        assert_refused(reply, 422, "request.invalid")
        assert [one["field"] for one in reply.json()["errors"]] == ["query.until"]
