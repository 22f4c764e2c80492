"""An organizer at work on an activity, through the API."""

from typing import Any

import httpx

from app.models.activities import Activity
from app.models.orgs import Org
from app.runtime import Runtime
from tests.factories.activities import current_code, edit, edit_body, make_activity, sign_up
from tests.factories.http import keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person

API = "/api/v1"
ACTIVITIES = f"{API}/activities"


class Desk:
    """An organizer of an activity and those who signed up to it."""

    def __init__(self, api: httpx.AsyncClient, runtime: Runtime) -> None:
        self.api, self.runtime = api, runtime
        self.org: Org
        self.organizer: TestPerson
        self.activity: Activity

    async def open(self, **activity: Any) -> "Desk":
        self.org = await make_org(self.runtime)
        self.organizer = await make_organizer(self.runtime, self.org.id)
        self.activity = await make_activity(self.runtime, org=self.org, **activity)
        return self

    async def edit(self, version: object = 1, **changes: Any) -> httpx.Response:
        body = edit_body(self.activity, **changes)
        return await edit(self.api, self.organizer, self.activity, body, version)

    async def post(self, verb: str, body: Any = None) -> httpx.Response:
        path = f"{ACTIVITIES}/{self.activity.id}/{verb}"
        return await self.api.post(path, headers=keyed(self.organizer), json=body)

    async def read(self) -> dict[str, Any]:
        path = f"{ACTIVITIES}/{self.activity.id}"
        found: dict[str, Any] = (await self.api.get(path, headers=self.organizer.headers)).json()
        return found

    async def check_in(self, person: TestPerson) -> httpx.Response:
        body = {"code": current_code(self.runtime, self.activity)}
        return await self.api.post(f"{API}/checkins", headers=person.headers, json=body)

    async def attended(self) -> TestPerson:
        person = await make_person(self.runtime)
        await sign_up(self.runtime, self.activity, person)
        assert (await self.check_in(person)).status_code == 201
        return person

    async def states(self, *people: TestPerson) -> list[tuple[str, int | None]]:
        found = [(await walk(self.api, f"{API}/me/signups", one.headers))[0] for one in people]
        return [(one["status"], one["position"]) for one in found]
