"""What everybody of the past looks at in the last moment: lists to their end, things, refusals."""

from typing import Any

from tests.migrations.town import Json, Town

A_PAGE = {"limit": 3}
UNITS = ("points", "minutes", "youfang_points")
AWARD_STATES = ("pending_budget", "pending", "notice", "available", "rejected", "reversed")
RESIDENTS = ("alice", "bob", "carol", "dan", "eve", "fay", "gus", "han", "ivy", "jun")


async def look(town: Town, orgs: dict[str, str]) -> None:
    await _public(town, None, orgs)
    for user in RESIDENTS:
        await _of_a_resident(town, user)
    await _of_the_staff(town, orgs)
    # Last of all: to look at points may end what is overdue.
    for user in RESIDENTS:
        for unit in UNITS:
            await town.record(user, "/me/points", unit=unit)


async def _public(town: Town, user: str | None, orgs: dict[str, str]) -> None:
    city, street = orgs["321182"], orgs["321182001"]
    queries: list[tuple[str, dict[str, Any]]] = [
        ("/orgs", {"level": "street", **A_PAGE}),
        ("/orgs", {"parent_id": city}),
        ("/orgs", {"q": "新"}),
        ("/activities", A_PAGE),
        ("/activities", {"org_id": street, "status": "cancelled"}),
        ("/activities", {"org_id": city, "category": "volunteer_service", **A_PAGE}),
        ("/activities", {"q": "护河"}),
        ("/rewards", {"org_id": city, **A_PAGE}),
        ("/awards/notices", {"limit": 1}),
        ("/ledger/seals", {"limit": 20}),
        ("/me", {}),
    ]
    queries += [("/leaderboards", {"org_id": city, "period": p}) for p in ("week", "month", "all")]
    for org in orgs.values():
        queries += [
            (f"/orgs/{org}/fund", {}),
            (f"/orgs/{org}/fund/receipts", {"limit": 1}),
            ("/leaderboards", {"org_id": org, "period": "year"}),
        ]
    months = ("2026-09", "2026-10")
    queries += [(f"/orgs/{city}/fund", {"month": m, "subtree": "true"}) for m in months]
    queries += [(f"/activities/{town.left[name]}", {}) for name in ("full", "running", "draft")]
    for path, query in queries:
        await town.record(user, path, **query)


async def _of_a_resident(town: Town, user: str) -> None:
    for path in ("/me", "/me/card", f"/activities/{town.left['full']}"):
        await town.record(user, path)
    for path in ("awards", "signups", "redemptions", "notices", "deductions"):
        await town.record(user, f"/me/{path}", **A_PAGE)
    for unit in UNITS:
        await town.record(user, "/me/points/entries", unit=unit, **A_PAGE)
    await town.record(user, "/me/points/entries", kind="award", **A_PAGE)
    await town.record(user, "/me/points/entries/1/proof")


async def _of_the_staff(town: Town, orgs: dict[str, str]) -> None:
    street: Json = {"org_id": orgs["321182001"], **A_PAGE}
    city: Json = {"org_id": orgs["321182"], "limit": 10}
    for user in ("organizer", "auditor", "reviewer", "xinba", "alice"):
        for state in AWARD_STATES if user in ("auditor", "reviewer") else ():
            await town.record(user, "/awards", state=state, **city)
        await town.record(user, "/awards", **street)
        await town.record(user, "/deductions", **street)
        await town.record(user, "/deductions", state="appealed", **city)
        await town.record(user, "/activities", status="draft", **street)
        await town.record(user, f"/activities/{town.left['running']}/checkin-code")
    for user in ("merchant", "merchant2", "alice"):
        for month in ("2026-10", "2026-11"):
            await town.record(user, "/merchant/statement", month=month)
    for user in ("admin", "auditor", "merchant", "treasurer", "youfang"):
        await town.record(user, "/me")
