"""The cases of ``bench.http``: what is asked of a running service, and by whom."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from uuid import uuid4

import httpx

from app.core.clock import now
from app.core.rotating_codes import Action
from app.models.activities import Activity
from app.runtime import Runtime
from app.services.checkins import Scan
from bench.crowd import Crowd, Resident, check_in, lists
from bench.service import Service
from bench.wrk import Request

API = "/api/v1"
READERS, SCREENS = 400, 50
CHARGE = "a merchant's charge"


@dataclass(frozen=True)
class Case:
    """``wanted``: the ratio to the echo. ``once``: a write, no request may be sent twice.

    ``beside``: an earlier case, and the wanted ratio to its rate in the same round.
    """

    name: str
    wanted: float | None
    requests: Callable[[int], Awaitable[list[Request]]]
    once: bool = False
    beside: tuple[str, float] | None = None

    @property
    def is_checkin(self) -> bool:
        """Whether the bound does the same."""
        return self.name.startswith("check-in")


class Bench:
    """The cases, on one running service."""

    def __init__(self, runtime: Runtime, one: Service) -> None:
        self._runtime = runtime
        self._crowd = Crowd(runtime)
        self._service = one

    async def prepare(self) -> None:
        """Make what the reading cases look at."""
        self._readers = await self._crowd.residents(READERS)
        self._places = await self._crowd.activities(20, self._readers[0], rule="activity_checkin")
        for _ in range(30):
            await self._crowd.give_points(self._readers, 3)
        self._staff = await self._crowd.staff(merchants=20, each=20)
        org = await self._crowd.org()
        self._board = f"/leaderboards?org_id={org.id}&period=month&limit=20"

    def cases(self) -> list[Case]:
        return [
            Case("check-in, one hot activity", 0.20, lambda n: self._checkins(n, 1), once=True),
            Case("check-in, 100 activities", 0.20, lambda n: self._checkins(n, 100), once=True),
            Case(
                "check-in with hours of service",
                None,
                lambda n: self._checkins(n, 1, "volunteer_hour"),
                once=True,
            ),
            Case("check-out, one hot activity", None, self._checkouts, once=True),
            Case("sign-up, a rush for 500 places", 0.36, self._signups, once=True),
            Case(CHARGE, 0.18, self._charges, once=True),
            Case(
                "a collection at a counter",
                None,
                self._collections,
                once=True,
                beside=(CHARGE, 1.0),
            ),
            Case("GET passbook", 0.5, self._reads("/me/points/entries")),
            Case("GET activity", 0.85, self._reads(self._activity_path())),
            Case("GET leaderboard", 0.55, self._reads(self._board)),
            Case("GET passbook, ETag matches", 0.85, self._reads("/me/points/entries", known=True)),
            Case(
                "GET activity, ETag matches", 0.85, self._reads(self._activity_path(), known=True)
            ),
            Case("GET leaderboard, ETag matches", 0.6, self._reads(self._board, known=True)),
            Case("GET live view, 50 screens, ETag matches", None, self._screens),
        ]

    async def _checkins(
        self, number: int, places: int, rule: str = "activity_checkin"
    ) -> list[Request]:
        people = await self._crowd.residents(number)
        activities = await self._crowd.activities(places, people[0], rule=rule)
        await self._crowd.sign_up(people, activities)
        codes = [self._code(activity) for activity in activities]
        return [
            Request("POST", f"{API}/checkins", one.token, body=f'{{"code":"{code}"}}')
            for one, code in zip(people, cycle(codes), strict=False)
        ]

    async def _checkouts(self, number: int) -> list[Request]:
        """Of people who came an hour ago, so that each check-out pays."""
        people = await self._crowd.residents(number)
        (activity,) = await self._crowd.activities(
            1, people[0], rule="volunteer_hour", checks_out=True, minutes_ago=65
        )
        await self._crowd.sign_up(people, [activity])
        came_at = now() - timedelta(hours=1)
        for part in lists(people):
            scans = [Scan(activity.serial, one.id, came_at=came_at) for one in part]
            await check_in(self._runtime, scans)
        code = self._runtime.codes.make(Action.check_out, activity.serial, now().timestamp()).text
        body = f'{{"code":"{code}"}}'
        return [Request("POST", f"{API}/checkouts", one.token, body=body) for one in people]

    def _code(self, activity: Activity) -> str:
        # The newest that is accepted, so that it lives until the run is over.
        return self._runtime.codes.make(Action.check_in, activity.serial, now().timestamp()).text

    async def _signups(self, number: int) -> list[Request]:
        people = await self._crowd.residents(number)
        (activity,) = await self._crowd.activities(
            1, people[0], rule="activity_checkin", capacity=500
        )
        path = f"{API}/activities/{activity.id}/signups"
        return [Request("POST", path, one.token, body="{}") for one in people]

    async def _charges(self, number: int) -> list[Request]:
        people = await self._crowd.residents(number)
        await self._crowd.give_points(people, 10)
        codes = await self._crowd.card_codes(people)
        return [
            Request(
                "POST",
                f"{API}/merchant/charges",
                staff.token,
                key=str(uuid4()),
                body=f'{{"card_code":"{code}","points":3,"note":"咖啡"}}',
            )
            for code, staff in zip(codes, cycle(self._staff), strict=False)
        ]

    async def _collections(self, number: int) -> list[Request]:
        people = await self._crowd.residents(number)
        await self._crowd.give_points(people, 10)
        codes = await self._crowd.reservations(people, self._staff)
        return [
            Request(
                "POST",
                f"{API}/merchant/redemptions/collect",
                staff.token,
                key=str(uuid4()),
                body=f'{{"pickup_code":"{code}"}}',
            )
            for code, staff in zip(codes, cycle(self._staff), strict=False)
        ]

    async def _screens(self, _: int) -> list[Request]:
        """Fifty screens, each of an organizer, that know the view of an activity."""
        path = f"{self._activity_path()}/live"
        screens = await self._crowd.organizers(SCREENS)
        with httpx.Client(base_url=self._service.url + API) as client:
            return [
                Request("GET", API + path, one.token, etag=_etag(client, path, one))
                for one in screens
            ]

    def _activity_path(self) -> str:
        return f"/activities/{self._places[0].id}"

    def _reads(
        self, path: str, *, known: bool = False
    ) -> Callable[[int], Awaitable[list[Request]]]:
        async def requests(_: int) -> list[Request]:
            with httpx.Client(base_url=self._service.url + API) as client:
                return [
                    Request(
                        "GET",
                        API + path,
                        one.token,
                        etag=_etag(client, path, one) if known else "",
                    )
                    for one in self._readers
                ]

        return requests


def _etag(client: httpx.Client, path: str, reader: Resident) -> str:
    reply = client.get(path, headers={"Authorization": f"Bearer {reader.token}"})
    assert reply.status_code == 200, reply.text
    return reply.headers["etag"]
