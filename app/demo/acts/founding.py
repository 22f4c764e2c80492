"""An empty database: the operator grants one administrator, who imports the organisations."""

from typing import Any

from app.demo.cast import CAST, CITY, DATA, STREET
from app.demo.day import Day
from app.demo.phone import Phone

DIVISIONS, POLICY = DATA / "divisions-yangzhong.csv", DATA / "policy.toml"
NEW_CODE, NEW_NAME, RENAMED = "321182001901", "江堤社区", "江堤社区居委会"


async def found(day: Day) -> None:
    day.act("一 · 从空库开始", "An empty database, one administrator")
    admin = day.admin = Phone(day.network, "admin", CAST["admin"])
    await admin.arrive()
    there = (await admin.get("/orgs")).want(200)["items"]
    day.checks.equal("organisations of an empty database", [], there)
    await _operate(day)
    await _import(day)
    await _community(day)


async def _operate(day: Day) -> None:
    """What an operator does once: the root, the rules, the first administrator."""
    with DIVISIONS.open(encoding="utf-8") as rows:
        root = day.stage.home / "root.csv"
        root.write_text("".join(next(rows) for _ in range(2)), encoding="utf-8")
    await day.operate("orgs", "import", str(root))
    await day.operate("policies", "publish", str(POLICY))
    words = ("roles", "grant", day.admin.person_id, "administrator", "--org", CITY)
    said = await day.operate(*words)
    day.say(
        f"命令行只用一次：根组织、积分办法、首位管理员 {day.admin.name}。[italic]{said}[/]",
        "the command line once: root, rules, first administrator",
    )


async def _import(day: Day) -> None:
    admin, content = day.admin, DIVISIONS.read_bytes()
    city = day.city = (await admin.get("/orgs", level="district")).want(200)["items"][0]
    path, place = "/orgs/imports", {"org_id": city["id"]}
    shown = (await admin.upload(f"{path}/preview", DIVISIONS.name, content, **place)).want(200)
    rows = len(content.splitlines()) - 2
    found = (shown["inserted"], shown["updated"], shown["unchanged"])
    day.checks.equal("the preview of the import", (rows, 0, 1), found)
    day.say(f"预览导入：新增 {rows} 个街道和社区，修改 0", "the preview of an import")
    wrong = await admin.upload(path, DIVISIONS.name, content, digest="0" * 64, **place)
    told = day.refused("another digest", "409 org_imports.other_changes", wrong.verdict)
    day.say(f"与预览不一致的导入：{told}", "not what the preview showed")
    form = place | {"digest": shown["digest"]}
    done = (await admin.upload(path, DIVISIONS.name, content, **form)).want(201)
    day.checks.equal("the import", shown, {name: done[name] for name in shown})
    job = (await admin.get(f"/jobs/{done['id']}")).want(200)
    day.checks.equal("the job of the import", ("done", 100), (job["state"], job["progress"]))
    again = (await admin.upload(f"{path}/preview", DIVISIONS.name, content, **place)).want(200)
    day.checks.equal("changes of the same file again", [], again["changes"])
    day.street = await _org(day, STREET, city["id"])
    day.say(f"导入完成，{city['name']}下有{day.street['name']}等", "imported; again: no change")


async def _community(day: Day) -> None:
    body = {
        "parent_id": day.street["id"],
        "code": NEW_CODE,
        "name": NEW_NAME,
        "level": "community",
    }
    made = (await day.admin.do("/orgs", body)).want(201)
    renamed = await day.admin.put(f"/orgs/{made['id']}", {"name": RENAMED})
    day.community = renamed.want(200)
    day.checks.equal("the new name", RENAMED, day.community["name"])
    day.say(f"新建{NEW_NAME}，更名为{RENAMED}", "a new community, renamed")


async def _org(day: Day, code: str, parent_id: str) -> dict[str, Any]:
    items = (await day.admin.get("/orgs", parent_id=parent_id, limit=100)).want(200)["items"]
    org: dict[str, Any] = next(one for one in items if one["code"] == code)
    return org
