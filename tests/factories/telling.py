"""What happens to a person, and what they must find in the inbox."""

from dataclasses import dataclass
from typing import Any

import httpx

from app.models.orgs import Org
from app.runtime import Runtime
from tests.factories.awards import approve, propose
from tests.factories.deductions import deduct
from tests.factories.http import keyed
from tests.factories.ledger import give_points
from tests.factories.people import (
    TestPerson,
)
from tests.factories.rewards import make_counter, make_reward

API = "/api/v1"


@dataclass(frozen=True)
class Told:
    """What somebody must find in the inbox."""

    person: TestPerson
    subject: tuple[str, str]
    zh: str
    en: str


@dataclass(frozen=True)
class Stage:
    """An organisation with three organizers; ``person`` has a part in nothing yet."""

    api: httpx.AsyncClient
    runtime: Runtime
    org: Org
    organizer: TestPerson
    reviewer: TestPerson
    judge: TestPerson
    person: TestPerson

    async def post(self, caller: TestPerson, path: str, **body: Any) -> dict[str, Any]:
        response = await self.api.post(f"{API}{path}", headers=keyed(caller), json=body)
        assert response.status_code in {200, 201}, response.text
        found: dict[str, Any] = response.json()
        return found

    async def mine(self, path: str) -> dict[str, Any]:
        """Return the newest item of a list of the person's."""
        response = await self.api.get(f"{API}/me/{path}", headers=self.person.headers)
        found: dict[str, Any] = response.json()["items"][0]
        return found

    async def proposed(self) -> dict[str, Any]:
        return (await propose(self.api, self.organizer, self.org, self.person))[0]

    async def in_notice(self) -> dict[str, Any]:
        award = await self.proposed()
        assert (await approve(self.api, self.reviewer, award)).json()["state"] == "notice"
        return award

    async def objection(self, objector: TestPerson, award: dict[str, Any]) -> str:
        path = f"/awards/{award['id']}/objections"
        return str((await self.post(objector, path, reason="未参加"))["id"])

    async def decide(self, objection: str, *, upheld: bool) -> None:
        path = f"/awards/objections/{objection}/decision"
        await self.post(self.judge, path, upheld=upheld, reason="已核实")

    async def appealed(self) -> dict[str, Any]:
        await give_points(self.runtime, self.person.id, 5, org=self.org.id)
        made = await deduct(self.api, self.organizer, self.org, self.person)
        await self.post(self.person, f"/deductions/{made['id']}/appeal", reason="请过假")
        return made

    async def reserved(self) -> dict[str, Any]:
        await give_points(self.runtime, self.person.id, 30, org=self.org.id)
        reward = await make_reward(self.runtime, await make_counter(self.runtime))
        return await self.post(self.person, "/redemptions", reward_id=str(reward.id), quantity=2)
