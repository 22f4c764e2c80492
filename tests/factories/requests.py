"""A valid request of each operation with a body, for tests that invalidate one value."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from app.core.clock import now
from app.models.orgs import Org
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.activities import activity_body, current_code, make_activity, make_attended
from tests.factories.awards import award_body, give_award
from tests.factories.http import bearer, log_in, wechat_code
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, appoint, make_person
from tests.factories.rewards import make_card_codes, make_counter, make_reward, reserve

API = "/api/v1"
PLACE = {"latitude": 32.23, "longitude": 119.8}


@dataclass(frozen=True)
class Call:
    """``status``: the status of the reply to the valid request."""

    method: str
    path: str
    body: dict[str, Any]
    status: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    async def send(self, api: httpx.AsyncClient, content: Any, **headers: str) -> httpx.Response:
        """Send another body, with a new Idempotency-Key each time."""
        every = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        return await api.request(
            self.method, API + self.path, headers=every | self.headers | headers, content=content
        )


def _every_field(org: Org) -> dict[str, Any]:
    ends = now() + timedelta(hours=2)
    return activity_body(
        org,
        capacity=20,
        ends_at=ends.isoformat(),
        signup_opens_at=(ends - timedelta(hours=2)).isoformat(),
        signup_closes_at=ends.isoformat(),
        location=PLACE | {"name": "三茅青年之家", "radius_m": 200},
    )


async def _login_calls(api: httpx.AsyncClient, refresh_token: str) -> dict[str, Call]:
    logout = await log_in(api)
    return {
        "logIn": Call("POST", "/auth/wechat", {"code": await wechat_code(api, "x")}, 200),
        "refreshLogin": Call("POST", "/auth/refresh", {"refresh_token": refresh_token}, 200),
        "logOut": Call(
            "POST",
            "/auth/logout",
            {"refresh_token": logout["refresh_token"]},
            204,
            bearer(logout["access_token"]),
        ),
    }


async def make_calls(api: httpx.AsyncClient, runtime: Runtime) -> dict[str, Call]:
    """Return the calls by operation id, all of one person with all roles."""
    login = await log_in(api)
    counter, org = await make_counter(runtime), await make_org(runtime)
    headers = bearer(login["access_token"])
    me = TestPerson(UUID(login["person"]["id"]), login["person"]["display_name"], headers)
    await _may_do_everything(runtime, me, org.id, counter.merchant.id)
    await give_points(runtime, me.id, 100, org=org.id)
    reward = await make_reward(runtime, counter)
    customer = await make_person(runtime)  # nobody serves themselves
    await give_points(runtime, customer.id, 100)
    codes = await make_card_codes(runtime, customer, 2)
    charge = await api.post(
        f"{API}/merchant/charges",
        headers=headers | {"Idempotency-Key": str(uuid4())},
        json={"card_code": codes[0], "points": 5, "note": ""},
    )
    reserved = await reserve(runtime, customer.id, reward)
    attended, open_activity = await make_attended(runtime, me), await make_activity(runtime)
    award = await give_award(runtime, await make_person(runtime), org)
    scan = {
        "code": current_code(runtime, attended),
        "location": PLACE | {"accuracy_m": 12.5, "coordinate_system": "gcj02"},
    }
    return await _login_calls(api, login["refresh_token"]) | {
        "updateMe": Call(
            "PUT",
            "/me",
            {"display_name": "四", "birth_date": "2001-02-03", "shows_name": True},
            200,
            headers,
        ),
        "createActivity": Call("POST", "/activities", _every_field(org), 201, headers),
        "signUp": Call("POST", f"/activities/{open_activity.id}/signups", {}, 201, headers),
        "checkIn": Call("POST", "/checkins", scan, 201, headers),
        "redeem": Call(
            "POST", "/redemptions", {"reward_id": str(reward.id), "quantity": 1}, 201, headers
        ),
        "collectRedemption": Call(
            "POST",
            "/merchant/redemptions/collect",
            {"pickup_code": reserved.pickup_code},
            200,
            headers,
        ),
        "charge": Call(
            "POST",
            "/merchant/charges",
            {"card_code": codes[1], "points": 5, "note": "咖啡"},
            201,
            headers,
        ),
        "refundCharge": Call(
            "POST",
            f"/merchant/charges/{charge.json()['id']}/refund",
            {"reason": "退"},
            200,
            headers,
        ),
        "proposeAwards": Call("POST", "/awards", award_body(org, [me], quantity=1), 201, headers),
        "reverseTransfer": Call(
            "POST", f"/ledger/transfers/{award}/reversal", {"reason": "错"}, 201, headers
        ),
    }


async def _may_do_everything(runtime: Runtime, me: TestPerson, org: Any, merchant: Any) -> None:
    async with runtime.database.transaction() as tx:
        for role in (Role.organizer, Role.administrator):
            await appoint(tx, me.id, role, org=org)
        await appoint(tx, me.id, Role.merchant_staff, merchant=merchant)
