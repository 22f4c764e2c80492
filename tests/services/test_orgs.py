"""A division that moves takes along what is below it."""

from pathlib import Path
from uuid import uuid4

import httpx

from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from app.services import divisions, orgs
from tests.factories.activities import make_activity
from tests.factories.orgs import make_org
from tests.factories.people import make_with_role
from tests.routers.test_audit import entries


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
        await divisions.load(tx, file)

    async def listed(org: str) -> list[str]:
        page = (await api.get("/api/v1/activities", params={"org_id": org})).json()
        return [item["id"] for item in page["items"]]

    assert await listed(str(old.id)) == []
    assert await listed(str(new.id)) == [str(activity.id)]
    async with runtime.database.read() as tx:
        moved = await orgs.get(tx, community.id)
    assert moved.path == f"{new.path}{street.code}/{community.code}/"


async def test_an_import_is_on_record_where_the_file_begins(
    runtime: Runtime, api: httpx.AsyncClient, tmp_path: Path
) -> None:
    above = await make_org(runtime, level=Level.district)
    street, community = str(uuid4().int)[:18], str(uuid4().int)[:18]
    file = tmp_path / "new.csv"
    rows = f"{street},新街道,{above.code},street\n{community},新社区,{street},community"
    file.write_text(f"code,name,parent_code,level\n{rows}\n")
    auditor = await make_with_role(runtime, Role.auditor, org=above.id)

    for _ in range(2):  # the second time changes nothing
        async with runtime.database.transaction() as tx:
            await divisions.load(tx, file)
            top = await orgs.get_by_code(tx, street)

    [entry] = await entries(api, auditor, above)
    assert (entry["verb"], entry["actor"]) == ("imported", None)
    assert entry["subject"] == {"type": "org", "id": str(top.id)}
    assert entry["facts"] == {"inserted": 2, "updated": 0}
