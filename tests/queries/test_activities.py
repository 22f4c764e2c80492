"""The lists in which an activity stands: complete, kept by the database, and left alone."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.models.activities import Activity, ActivityStatus, Category
from app.models.orgs import Level, Org
from app.queries import activities as queries
from app.queries.activities import ActivityFilter
from app.runtime import Runtime
from tests.factories.activities import make_activity, sign_up
from tests.factories.orgs import make_org
from tests.factories.people import make_person

SHOWN = [ActivityStatus.published, ActivityStatus.cancelled]


async def listed(runtime: Runtime, **asked: Any) -> list[UUID]:
    """Return the ids of a page of what is shown."""
    names = asked.keys() & {"category", "starts_after", "q"}
    wanted = ActivityFilter(**{name: asked[name] for name in names})
    org_path, after = asked.get("org_path"), asked.get("after")
    statuses, limit = asked.get("statuses", SHOWN), asked.get("limit", 50)
    async with runtime.database.read() as tx:
        page = await queries.page(tx, wanted, org_path, statuses, after, limit)
    return [activity.id for activity in page]


async def places(connection: Any, activity: Activity) -> set[tuple[str, str]]:
    """Return where an activity stands: the list, and the row's address."""
    rows = await connection.fetch(
        "SELECT list, CAST(ctid AS text) FROM activity_lists WHERE activity_id = $1", activity.id
    )
    return {(row[0], row[1]) for row in rows}


async def test_an_activity_stands_on_every_level_and_everywhere(runtime: Runtime) -> None:
    street = await make_org(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    far = now() + timedelta(days=700)
    activity = await make_activity(runtime, org=community, starts_at=far)
    for path in (None, street.path, community.path):
        for category in (None, Category.volunteer_service):
            asked = {"org_path": path, "category": category, "starts_after": far - timedelta(1)}
            assert activity.id in await listed(runtime, **asked), asked
        assert activity.id not in await listed(runtime, org_path=path, category=Category.health)


async def test_filters_and_words_meet_on_every_page(runtime: Runtime) -> None:
    org, day = await make_org(runtime), now()
    kinds = [(Category.health, "义诊"), (Category.culture, "义诊"), (Category.health, "长跑")]
    made = [
        await make_activity(
            runtime, org=org, category=kind, title=title, starts_at=day + timedelta(hours=n)
        )
        for n, (kind, title) in enumerate(kinds * 3)
    ]
    wanted, after, found = [one.id for one in made[::3]], None, []
    asked = {"org_path": org.path, "category": Category.health, "q": "义诊", "limit": 1}
    while page := await listed(runtime, **asked, after=after):
        found += page
        last = next(one for one in made if one.id == page[-1])
        after = (last.starts_at, last.id)
    assert found == wanted


async def change(as_owner: Any, activity: Activity, column: str, value: object) -> set[str]:
    sql = f"UPDATE activities SET {column} = $1 WHERE id = $2"  # noqa: S608 - a name of ours
    await as_owner.execute(sql, value, activity.id)
    return {name for name, _ in await places(as_owner, activity)}


async def test_lists_follow_the_activity(runtime: Runtime, as_owner: Any) -> None:
    org, other = await make_org(runtime), await make_org(runtime)
    activity = await make_activity(runtime, org=org)
    assert {name for name, _ in await places(as_owner, activity)} == lists(org)
    assert await change(as_owner, activity, "org_path", other.path) == lists(other)
    assert await change(as_owner, activity, "category", "health") == lists(other, "health")


def lists(org: Org, category: str = "volunteer_service") -> set[str]:
    return {"/", org.path, f"/{category}", org.path + category}


async def test_places_follow_status_and_start(runtime: Runtime, as_owner: Any) -> None:
    activity = await make_activity(runtime)
    start = activity.starts_at - timedelta(hours=3)
    await change(as_owner, activity, "status", "draft")
    await change(as_owner, activity, "starts_at", start)
    rows = await as_owner.fetch(
        "SELECT DISTINCT status, starts_at FROM activity_lists WHERE activity_id = $1", activity.id
    )
    assert [tuple(row) for row in rows] == [("draft", start)]


async def test_without_the_trigger_an_activity_would_be_missing(
    runtime: Runtime, as_owner: Any
) -> None:
    """The negative control of everything above."""
    activity = await make_activity(runtime)
    await as_owner.execute("ALTER TABLE activities DISABLE TRIGGER enlist_activity")
    assert "/health" not in await change(as_owner, activity, "category", "health")


async def test_a_sign_up_leaves_the_lists_alone(runtime: Runtime, as_owner: Any) -> None:
    """The counters of an activity change with every sign-up: its lists must not."""
    activity = await make_activity(runtime, capacity=5)
    before = await places(as_owner, activity)
    await sign_up(runtime, activity, await make_person(runtime))
    assert await places(as_owner, activity) == before
    await change(as_owner, activity, "status", "cancelled")
    assert await places(as_owner, activity) != before, "addresses do tell"
