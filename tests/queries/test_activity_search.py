"""Search of activities: either spelling, words in any order, in four fields, kept by triggers."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import now
from app.models.activities import Activity, ActivityStatus
from app.runtime import Runtime
from tests.factories.activities import make_activity, sign_up
from tests.factories.http import assert_refused, walk
from tests.factories.organizing import ACTIVITIES, API, Desk
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_person
from tests.queries.test_activities import listed

POINT = {"latitude": 32.2, "longitude": 119.8, "radius_m": 50}
FIELDS: dict[str, Any] = {
    "title": "青年夜校·100%_\\ a'b 第3期",
    "location_name": "Robot工坊（二楼）",
    "description": "親子閱讀：帶上讀書卡。Ｗｉ－Ｆｉ free\n\ue000私\n雨天改期🎉",
    **POINT,
}


@pytest.fixture
async def activity(runtime: Runtime) -> Activity:
    return await make_activity(runtime, org=await make_org(runtime), **FIELDS)


async def finds(runtime: Runtime, activity: Activity, q: str) -> bool:
    found = await listed(runtime, org_path=activity.org_path, q=q)
    assert found in ([], [activity.id])
    return bool(found)


@pytest.mark.parametrize(
    "q",
    [
        *("读书", "讀書", "读書", "亲子阅读", "閱", "雨天改期🎉", "🎉"),
        *("ＲＯＢＯＴ", "robot", "Rob", "R", "工坊", "robot工坊", "工坊robot", "WI-FI", "wi fi"),
        *(
            "夜校 青年",
            "读书 Robot 夜校 测试组织",
            "测试组织",
            "《夜校》",
            "夜校，读书！",
            "100%",
            "第3期",
        ),
        *("\ue000", "\ue000私", "夜\u200b校", " 夜校 ", "夜校 夜校", "A'B", "读书卡wi"),
    ],
)
async def test_found(runtime: Runtime, activity: Activity, q: str) -> None:
    assert await finds(runtime, activity, q)


@pytest.mark.parametrize(
    "q",
    [
        *("滑", "滑雪", "夜青", "校夜", "夜校 滑雪", "obot", "robots", "青年夜校x", "\ue001", "🎈"),
        # The end of one field and the beginning of another; pairs of a word, not together.
        *("期工坊", "改期🎉测", "亲子读书卡", "00"),
    ],
)
async def test_not_found(runtime: Runtime, activity: Activity, q: str) -> None:
    assert not await finds(runtime, activity, q)


async def test_pairs_of_a_word_in_another_order_are_not_enough(runtime: Runtime) -> None:
    activity = await make_activity(runtime, title="夜校青年夜读")
    assert not await finds(runtime, activity, "青年夜校")


@pytest.mark.parametrize("q", ["", " ", "，。！", "%", "'\\_;--", "\u200b", "《》" * 25])
async def test_without_a_word_nothing_is_filtered(
    api: httpx.AsyncClient, activity: Activity, q: str
) -> None:
    [found] = await walk(api, ACTIVITIES, org_id=str(activity.org_id), q=q)
    assert found["id"] == str(activity.id)


async def test_a_search_is_as_long_as_a_title_can_be_read(
    api: httpx.AsyncClient, activity: Activity
) -> None:
    asked: dict[str, Any] = {"org_id": str(activity.org_id)}
    assert await walk(api, ACTIVITIES, **asked, q="ﷺ" * 50) == []
    assert_refused(
        await api.get(ACTIVITIES, params=asked | {"q": "读" * 51}), 422, "request.invalid"
    )


async def test_words_are_found_from_both_ends_of_their_density(runtime: Runtime) -> None:
    """By the list of the place, where that is the sparser; both give the same pages."""
    org, other = await make_org(runtime), await make_org(runtime)
    made: dict[UUID, list[UUID]] = {org.id: [], other.id: []}
    start = now()
    for n in range(12):
        where = org if n % 6 == 0 else other
        for status in (ActivityStatus.published, ActivityStatus.draft):
            one = await make_activity(
                runtime, org=where, title="垂釣", status=status, starts_at=start
            )
            if status is ActivityStatus.published:
                made[where.id].append(one.id)
    for where in (org, other):
        expected = sorted(made[where.id])
        assert await listed(runtime, org_path=where.path, q="垂钓") == expected
        both = await listed(runtime, org_path=where.path, q="垂钓 测试", after=(start, expected[0]))
        assert both == expected[1:]


async def test_edits_are_followed_and_the_rest_is_left_alone(
    api: httpx.AsyncClient, runtime: Runtime, as_owner: Any
) -> None:
    """Counters and states change often: they write no words."""
    desk = await Desk(api, runtime).open(
        description="带水", capacity=30, status=ActivityStatus.draft
    )
    before = await words(as_owner, desk.activity)
    assert (await desk.post("publish")).status_code == 200
    await sign_up(runtime, desk.activity, await make_person(runtime))
    assert (await desk.edit(2, capacity=40)).status_code == 200
    assert await words(as_owner, desk.activity) == before
    edited = await desk.edit(3, description="帶鍬", location={"name": "江邊", **POINT})
    assert edited.status_code == 200
    assert await finds(runtime, desk.activity, "江边 带锹")
    assert not await finds(runtime, desk.activity, "带水")
    later = desk.activity.starts_at + timedelta(minutes=1)
    moved = "UPDATE activities SET starts_at = $1 WHERE id = $2"
    await as_owner.execute(moved, later, desk.activity.id)
    assert {at for _, at, _ in await words(as_owner, desk.activity)} == {later}


async def test_a_renamed_organisation_is_found_by_its_new_name(
    api: httpx.AsyncClient, runtime: Runtime, activity: Activity
) -> None:
    admin = await make_administrator(runtime, activity.org_id)
    path = f"{API}/orgs/{activity.org_id}"
    reply = await api.put(path, headers=admin.headers, json={"name": "幸福社區"})
    assert reply.status_code == 200
    assert await finds(runtime, activity, "幸福社区 夜校")
    assert not await finds(runtime, activity, "测试组织")


@pytest.mark.parametrize(
    ("table", "trigger", "change"),
    [
        ("activities", "index_activity", "UPDATE activities SET title = '灯谜' WHERE id = $1"),
        (
            "orgs",
            "index_activities",
            "UPDATE orgs o SET name = '灯谜' FROM activities a WHERE a.id = $1 AND o.id = org_id",
        ),
    ],
)
async def test_without_its_trigger_a_change_would_not_be_found(
    activity: Activity, as_owner: Any, table: str, trigger: str, change: str
) -> None:
    """The negative control of the two tests above."""
    await as_owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    await as_owner.execute(change, activity.id)
    assert "灯谜" not in {word for word, *_ in await words(as_owner, activity)}
    await as_owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
    await as_owner.execute(change.replace("灯谜", "谜灯"), activity.id)
    assert "谜灯" in {word for word, *_ in await words(as_owner, activity)}


async def words(connection: Any, activity: Activity) -> set[tuple[Any, ...]]:
    """Return the words of an activity, their start and the address of the row."""
    sql = "SELECT word, starts_at, CAST(ctid AS text) FROM activity_words WHERE activity_id = $1"
    return {tuple(row) for row in await connection.fetch(sql, activity.id)}
