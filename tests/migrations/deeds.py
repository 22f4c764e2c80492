"""What people of the past do, each by requests of their own."""

from datetime import datetime, timedelta
from typing import Any

from app.core.clock import now
from tests.factories.sheets import XLSX, make_sheet
from tests.migrations.town import Json, Town

STREET, CITY, XINBA, YOUFANG = "321182001", "321182", "321182101", "321182102"
PLACE = {"name": "三茅青年之家", "latitude": 32.2376, "longitude": 119.7971, "radius_m": 200}


def activity(org: str, title: str, starts_at: datetime, **changes: Any) -> Json:
    return {
        "org_id": org,
        "title": title,
        "description": f"{title}，带水和手套",
        "category": "volunteer_service",
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=2)).isoformat(),
        "rule_key": "volunteer_hour",
    } | changes


def commendation(org: str, people: list[str], document: str, **changes: Any) -> Json:
    evidence = {"document": document, "public_notice": "已公示五日"}
    return {
        "rule_key": "commendation",
        "org_id": org,
        "person_ids": people,
        "evidence": evidence,
    } | changes


class Deeds:
    """``orgs``: ids by division code; ``rewards``: ids by name."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.orgs: dict[str, str] = {}
        self.rewards: dict[str, str] = {}

    async def attend(
        self, days_ago: float, code: str, organizer: str, title: str, *people: str
    ) -> str:
        """Let people check in at an activity that begins then."""
        town = self.town
        with town.day(days_ago):
            body = activity(self.orgs[code], title, now() - timedelta(minutes=5), location=PLACE)
            made = await town.post(organizer, "/activities", body)
            await town.post(organizer, f"/activities/{made['id']}/publish", want=200)
            for user in people:
                await town.post(user, f"/activities/{made['id']}/signups")
                await self.check_in(organizer, made["id"], user)
        return str(made["id"])

    async def check_in(self, organizer: str, activity_id: str, user: str) -> None:
        code = await self.town.get(organizer, f"/activities/{activity_id}/checkin-code")
        here = {k: v for k, v in PLACE.items() if k in ("latitude", "longitude")}
        location = here | {"accuracy_m": 20, "coordinate_system": "gcj02"}
        await self.town.post(user, "/checkins", {"code": code["code"], "location": location})

    async def honour(self, code: str, document: str, *people: str, **changes: Any) -> list[str]:
        """Propose commendations by the street's organizer; return the awards."""
        ids = [self.town.id_of(user) for user in people]
        proposer = {STREET: "organizer", XINBA: "xinba"}[code]
        body = commendation(self.orgs[code], ids, document, **changes)
        made = await self.town.post(proposer, "/awards", body)
        award = {one["person_id"]: one["award"]["id"] for one in made["items"]}
        return [award[one] for one in ids]

    async def approve(self, award: str, *reviewers: str) -> None:
        for reviewer in reviewers:
            await self.town.post(reviewer, f"/awards/{award}/approval", want=200)

    async def object(self, user: str, award: str) -> str:
        body = {"reason": "情况与公示不符"}
        made = await self.town.post(user, f"/awards/{award}/objections", body)
        return str(made["id"])

    async def reserve(self, user: str, reward: str) -> Json:
        body = {"reward_id": self.rewards[reward], "quantity": 1}
        made: Json = await self.town.post(user, "/redemptions", body)
        return made

    async def charge(self, user: str, points: int, counter: str) -> str:
        code = (await self.town.get(user, "/me/card/code"))["code"]
        body = {"card_code": code, "points": points, "note": "咖啡"}
        return str((await self.town.post(counter, "/merchant/charges", body))["id"])

    async def deduct(self, user: str, title: str) -> str:
        body = {
            "rule_key": "no_show",
            "org_id": self.orgs[STREET],
            "person_id": self.town.id_of(user),
            "evidence": {"activity": title},
        }
        return str((await self.town.post("organizer", "/deductions", body))["id"])

    async def sheet(self) -> None:
        headings = ["青享卡号 card_no", "献血证号 certificate"]
        card = (await self.town.get("jun", "/me/card"))["card_no"]
        file = make_sheet(headings, [card, "献血jun"])
        form = {"org_id": self.orgs[STREET], "rule_key": "blood_donation"}
        upload = {"file": ("献血.xlsx", file, XLSX)}
        made = await self.town.send(
            "POST", "organizer", "/awards/batches/sheet", 201, data=form, files=upload
        )
        self.town.left["pending"] = made["rows"][0]["award"]["id"]
