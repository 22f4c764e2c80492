"""Nine weeks of 扬中市, played through the API of the application in process, then dumped.

``python -m tests.migrations.past DIR`` is run on a checkout of a release (data/README.md says
how) and writes the rows of its database and what the API answered. Its clock moves; the last
moment is the dump's.
"""

import asyncio
import gzip
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import httpx

from app.core.clock import SHANGHAI, now
from app.models.consents import ConsentDocument
from app.models.people import Role
from app.services.health import newest_migration
from tests.conftest import ScratchFactory
from tests.engines import test_engines
from tests.factories.attachments import make_picture
from tests.factories.clock import travel
from tests.factories.consents import consent
from tests.factories.leaderboards import fed
from tests.migrations.deeds import CITY, STREET, XINBA, YOUFANG, Deeds, activity
from tests.migrations.dump import count_rows, dump
from tests.migrations.looks import look
from tests.migrations.town import Json, Town, as_text

RESIDENTS = ("alice", "bob", "carol", "dan", "eve", "fay", "gus", "han", "ivy", "jun")
SHIPPED = (files("app") / "data" / "policy.toml").read_text(encoding="utf-8")
AHEAD = timedelta(minutes=20)  # the last moment lies after everything the database's clock wrote

UNPLAYED = {
    "job_runs",  # written by the worker process, which this play does without
    "ledger_totals",  # of accounts with 256 entries
    # No scene has these yet.
    *("children", "handover_codes", "handovers", "pickups"),
    *("activity_messages", "activity_templates", "appointments", "certificates", "charge_refunds"),
    *("closures", "co_organizers", "data_copies", "devices", "ledger_redactions"),
    "merchant_visits",
    *("redemption_days", "redemption_day_items", "redemption_day_slots"),
    *("redemption_day_counters", "redemption_day_stewards", "redemption_day_movements"),
    *("redemption_day_absences", "redemption_substitutions", "offline_handovers"),
    *("code_locks", "ended_cards", "tier_standings"),
    *("merges", "name_confirmations", "policy_simulations", "scans", "shops", "simulated_people"),
    *("quest_checkpoints", "quest_completions", "quest_organizers", "quest_visits", "quests"),
    *("no_shows", "shift_holds", "signup_pauses"),
    *("stock_movements", "subscriptions", "verifications"),
    *("checkouts", "corrections", "flags"),
    *("activity_forms", "form_answers", "form_versions", "forms"),
    *("activity_sessions", "shift_notes", "posts", "swaps"),
    *("agreements", "settlements", "settlement_parts", "settlement_disputes"),
    *("exchange_agreements", "exchanges", "price_freezes"),
    *("person_categories", "courtesies", "courtesy_cells", "courtesy_places", "courtesy_claims"),
    *("courtesy_grants", "courtesy_grant_items", "courtesy_grantees"),
    *("webhooks", "webhook_events", "webhook_deliveries", "webhook_attempts"),
    *("webhook_positions", "linked_places", "linked_place_visits"),
    "web_logins",
    *("reward_lists", "voucher_codes", "collection_proxies", "reward_waits", "hidden_honours"),
}
REDIS = 7  # the last of Redis's 16 databases: tests that run meanwhile have others


class Past(Deeds):
    """The scenes, in their order. Days are counted back from the end."""

    async def beginning(self) -> None:
        town = self.town
        town.tell_commands()
        with town.day(64):
            for user in ("admin", "auditor", "organizer", "merchant", "merchant2", *RESIDENTS):
                await town.log_in(user)
            for user, role, org in (
                ("organizer2", Role.organizer, STREET),
                ("reviewer", Role.organizer, CITY),
                ("xinba", Role.organizer, XINBA),
                ("treasurer", Role.administrator, XINBA),
                ("youfang", Role.organizer, YOUFANG),
            ):
                await town.appoint(user, role, org)
            await town.open_unit("youfang_points", "油坊积分")
            whole = SHIPPED.replace('unit = "points"', 'unit = "youfang_points"')
            await town.publish(whole.replace("months = 24", "months = 1"), YOUFANG)
            await town.publish("[fund]\nlimited = true\n", XINBA)
            later = (now() + timedelta(days=90)).astimezone(SHANGHAI).replace(tzinfo=None)
            await town.publish("[caps]\nday = 20\n", STREET, later)
            for code in (STREET, CITY, XINBA, YOUFANG):
                found = await town.get(None, "/orgs", q=_NAMES[code])
                self.orgs[code] = found["items"][0]["id"]
            listed = await town.get(None, "/rewards", limit=100)
            self.rewards = {one["name"]: one["id"] for one in listed["items"]}
            agreed = consent(ConsentDocument.guardian)
            await town.send("PUT", "ivy", "/me/consents", 200, agreed)
            for user, name, born, shows in _PROFILES:
                body = {"display_name": name, "birth_date": born, "shows_name": shows}
                await town.send("PUT", user, "/me", 200, body)

    async def autumn(self) -> None:
        town = self.town
        for n, title in enumerate(("重阳敬老", "护河净滩", "文明交通岗")):
            await self.attend(63 - n, STREET, "organizer", title, *RESIDENTS[:7])
        await self.attend(60, YOUFANG, "youfang", "油坊集市", "gus", "han")
        with town.day(59):
            first, second, third = await self.honour(
                STREET, "扬青发〔2026〕3号", "alice", "bob", "dan"
            )
            for award in (first, second, third):
                await self.approve(award, "organizer2")
            (city,) = await self.honour(STREET, "扬青发〔2026〕9号", "alice", grade="city")
            await self.approve(city, "organizer2", "reviewer")
            (refused,) = await self.honour(STREET, "无文号", "fay")
            body: Json = {"reason": "材料不全"}
            await town.post("reviewer", f"/awards/{refused}/rejection", body, 200)
            rows = [
                {"person_id": town.id_of(user), "evidence": {"certificate": f"献血{user}"}}
                for user in ("dan", "eve", "fay")
            ]
            body = {"rule_key": "blood_donation", "org_id": self.orgs[STREET], "rows": rows}
            batch = await town.post("organizer", "/awards/batches", body)
            for row in batch["rows"]:
                await self.approve(row["award"]["id"], "reviewer")
        with town.day(57):
            for award, upheld in ((second, True), (third, False)):
                objection = await self.object("carol", award)
                body = {"upheld": upheld, "reason": "已核实"}
                await town.post("reviewer", f"/awards/objections/{objection}/decision", body, 200)
        with town.day(54):
            await town.run_jobs()
        self.reversible = first

    async def counter(self) -> None:
        """Rewards collected, cancelled and forgotten; charges and a refund."""
        town = self.town
        with town.day(45):
            collected = await self.reserve("alice", "香皂/洗手液")
            body: Json = {"pickup_code": collected["pickup_code"]}
            await town.post("merchant2", "/merchant/redemptions/collect", body, 200)
            cancelled = await self.reserve("dan", "抽纸1提")
            await town.post("dan", f"/redemptions/{cancelled['id']}/cancel", want=200)
            await self.reserve("eve", "青年商户咖啡券")  # which she forgets
            await self.charge("dan", 5, "merchant")
            back = await self.charge("fay", 6, "merchant")
            body = {"reason": "退货"}
            await town.post("merchant", f"/merchant/charges/{back}/refund", body, 200)
            await self.charge("alice", 20, "merchant2")
        with town.day(36):
            await town.run_jobs()
        with town.day(35):
            for user, granted in (("bob", True), ("carol", False)):
                made = await self.deduct(user, "护河净滩")
                body = {"reason": "当天已请假"}
                await town.post(user, f"/deductions/{made}/appeal", body, 200)
                body = {"granted": granted, "reason": "查阅请假记录"}
                await town.post("organizer2", f"/deductions/{made}/decision", body, 200)
        with town.day(34):
            body = {"reason": "录入错误"}  # most of it is spent: a debt
            path = f"/ledger/transfers/{self.reversible}/reversal"
            await town.post("admin", path, body)

    async def funds(self) -> None:
        """新坝 pays from what came in; points of 油坊 expire."""
        town, path = self.town, f"/orgs/{self.orgs[XINBA]}/fund/receipts"
        with town.day(31):
            body: Json = {"kind": "budget", "points": 20, "giver": "新坝镇团委", "note": "四季度"}
            await town.post("treasurer", path, body)
        await self.attend(30.5, XINBA, "xinba", "新坝护学", "han", "ivy", "jun")
        await self.attend(30.2, YOUFANG, "youfang", "油坊夜跑", "gus", "han")
        with town.day(29):
            both = await self.honour(XINBA, "新青发〔2026〕1号", "han", "jun")
            await town.run_jobs()
        with town.day(12):
            body = {"kind": "donation", "points": 10, "giver": "爱心企业"}
            await town.post("treasurer", path, body)
            body = activity(self.orgs[STREET], "冬衣捐赠", now() + timedelta(days=1))
            tomorrow = (await town.post("organizer", "/activities", body))["id"]
            await town.post("organizer", f"/activities/{tomorrow}/publish", want=200)
            await town.post("carol", f"/activities/{tomorrow}/signups")
            await town.run_jobs()
            query = {"org_id": self.orgs[XINBA], "state": "pending"}
            (paid,) = (await town.get("xinba", "/awards", **query))["items"]
            await self.approve(paid["award"]["id"], "reviewer")
            (town.left["unpaid"],) = {*both} - {paid["award"]["id"]}

    async def half_done(self) -> None:
        """What is under way when the release is replaced."""
        town, left = self.town, self.town.left
        with town.day(8):
            left["overdue"] = (await self.reserve("eve", "香皂/洗手液"))["id"]
        with town.day(2):
            notice, objected = await self.honour(STREET, "扬青发〔2026〕21号", "bob", "fay")
            for award in (notice, objected):
                await self.approve(award, "organizer2")
            left["notice"], left["objected"] = notice, objected
            left["objection"] = await self.object("carol", objected)
            (left["once_approved"],) = await self.honour(
                STREET, "扬青发〔2026〕22号", "gus", grade="city"
            )
            await self.approve(left["once_approved"], "organizer2")
            await self.sheet()
            left["appealed"], left["standing"] = [
                await self.deduct(user, "社区夜校") for user in ("gus", "fay")
            ]
            body: Json = {"reason": "系统故障未能签退"}
            await town.post("gus", f"/deductions/{left['appealed']}/appeal", body, 200)
            await town.run_jobs()
        with town.day(1):
            left["reserved"] = (await self.reserve("fay", "牙膏"))["pickup_code"]
            body = {"reward_id": self.rewards["大米5kg"], "quantity": 1}
            await town.post("ivy", "/redemptions", body, 409)
            left["charged"] = await self.charge("dan", 3, "merchant")
            await self.gatherings()
        left["running"] = await self.attend(0.02, STREET, "organizer", "冬至送温暖", "alice", "fay")
        with town.day(0.015):
            await town.post("dan", f"/activities/{left['running']}/signups")
        with town.day(0.001):  # their access tokens live on at the last moment
            await self.logins()

    async def gatherings(self) -> None:
        town, left = self.town, self.town.left
        for name, title in (("full", "读书会"), ("draft", "羽毛球"), ("cancelled", "观影")):
            body = activity(self.orgs[STREET], title, now() + timedelta(days=5), capacity=2)
            left[name] = (await town.post("organizer", "/activities", body))["id"]
            if name != "draft":
                await town.post("organizer", f"/activities/{left[name]}/publish", want=200)
        for user in RESIDENTS[:6]:
            signed = await town.post(user, f"/activities/{left['full']}/signups")
            left[f"signup_of_{user}"] = signed["id"]
        await town.send("DELETE", "bob", f"/signups/{left['signup_of_bob']}", 204)
        await town.post("gus", f"/activities/{left['cancelled']}/signups")
        form = {"subject_type": (None, "activity"), "subject_id": (None, left["full"])}
        cover = {"file": ("cover.jpg", make_picture(), "image/jpeg")}
        await town.send("POST", "organizer", "/attachments", 201, files=form | cover)
        cancel = f"UPDATE activities SET status = 'cancelled' WHERE id = '{left['cancelled']}'"  # noqa: S608
        await town.sql(cancel)

    async def logins(self) -> None:
        """Log everybody in for the last time; one login ends, one is stolen."""
        town = self.town
        for user in ("bob", "carol"):
            login = await town.log_in(user)
            token = {"refresh_token": login["refresh_token"]}
            if user == "bob":
                await town.post(user, "/auth/logout", token, 204)
            else:
                await town.post(user, "/auth/refresh", token, 200)
                with town.day(0.0005):
                    await town.post(user, "/auth/refresh", token, 401)
            town.left[f"ended_token_of_{user}"] = login["refresh_token"]
        await town.sql(
            f"UPDATE cards SET status = 'suspended' WHERE person_id = '{town.id_of('jun')}'"  # noqa: S608
        )
        for user in sorted(town.logins):
            await town.log_in(user)


_NAMES = {STREET: "三茅街道", CITY: "扬中市", XINBA: "新坝镇", YOUFANG: "油坊镇"}
_PROFILES = (
    ("dan", "丁一", "1999-05-04", True),
    ("eve", "伊梦", None, False),
    ("ivy", "叶小芽", "2015-06-01", False),
    ("jun", "君", None, True),
)


async def play(scratch: ScratchFactory, folder: Path) -> None:
    end = (now() + AHEAD).replace(second=0, microsecond=0)
    async with scratch() as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            town = Town(api, app.state.runtime, end)
            past = Past(town)
            scenes: list[Callable[[], Awaitable[None]]] = [past.beginning, past.autumn]
            for scene in (*scenes, past.counter, past.funds, past.half_done):
                await scene()
            with travel(end):
                await fed(town.runtime)
                await write(town, past, folder)


async def write(town: Town, past: Past, folder: Path) -> None:
    url = town.runtime.settings.migration_database_url
    assert url is not None
    rows = await count_rows(url)
    empty = [table for table in rows.keys() - UNPLAYED if rows[table] == 0]
    assert not empty, f"nothing happened in {empty}"
    revision = str(newest_migration())
    file = folder / revision.partition("_")[0]
    await dump(url, file.with_suffix(".sql.gz"))
    await look(town, past.orgs)
    kept: Json = {
        "revision": revision,
        "moment": town.end.isoformat(),
        "orgs": past.orgs,
        "left": town.left,
        "logins": town.logins,
        "requests": await town.with_keys(),
        "answers": town.answers,
    }
    text = as_text(kept).encode()
    file.with_suffix(".json.gz").write_bytes(gzip.compress(text, mtime=0))
    counts = len(town.answers), len(kept["requests"])
    print(f"{file}: {counts[0]} answers, {counts[1]} requests")  # noqa: T201


if __name__ == "__main__":
    with test_engines() as found:
        asyncio.run(play(ScratchFactory(found, REDIS), Path(sys.argv[1])))
