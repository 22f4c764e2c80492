"""A division that moves takes along what is below it."""

from pathlib import Path

import httpx

from app.models.orgs import Level
from app.runtime import Runtime
from app.services import orgs
from tests.factories.activities import make_activity
from tests.factories.orgs import make_org


async def test_a_moved_street_takes_its_communities_and_activities_along(
    runtime: Runtime, api: httpx.AsyncClient, tmp_path: Path
) -> None:
    old = await make_org(runtime, level=Level.district)
    new = await make_org(runtime, level=Level.district)
    street = await make_org(runtime, parent=old, level=Level.street)
    community = await make_org(runtime, parent=street, level=Level.community)
    activity = await make_activity(runtime, org=community)

    # The file names the street alone.
    file = tmp_path / "moved.csv"
    row = f"{street.code},{street.name},{new.code},{street.level}"
    file.write_text(f"code,name,parent_code,level\n{row}\n")
    async with runtime.database.transaction() as tx:
        await orgs.import_divisions(tx, file)

    async def listed(org: str) -> list[str]:
        page = (await api.get("/api/v1/activities", params={"org_id": org})).json()
        return [item["id"] for item in page["items"]]

    assert await listed(str(old.id)) == []
    assert await listed(str(new.id)) == [str(activity.id)]
    async with runtime.database.read() as tx:
        moved = await orgs.get(tx, community.id)
    assert moved.path == f"{new.path}{street.code}/{community.code}/"
