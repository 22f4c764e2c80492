"""Linked places for tests: a shop with a position, under an agreement that is in force."""

from dataclasses import dataclass
from typing import Any

import httpx

from app.models.orgs import Org
from app.models.shops import Shop
from app.runtime import Runtime
from tests.factories.http import keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer
from tests.factories.quests import LATITUDE, LONGITUDE, position
from tests.factories.rewards import Counter, make_counter
from tests.factories.settlements import make_agreement

API = "/api/v1"
PLACES, VISITS = f"{API}/linked-places", f"{API}/linked-place-visits"
RULE = "activity_checkin"


@dataclass(frozen=True)
class Linked:
    """``body``: of the link. ``code``: of its poster."""

    counter: Counter
    shop: Shop
    organizer: TestPerson
    agreement: str
    body: dict[str, Any]
    code: str

    @property
    def id(self) -> str:
        return str(self.body["id"])


async def make_shop(runtime: Runtime, counter: Counter, **changes: Any) -> Shop:
    values: dict[str, Any] = {
        "org_id": counter.merchant.org_id,
        "created_by": counter.staff.id,
        "merchant_id": counter.merchant.id,
        "name": "迷雾剧本社",
        "address": "前进路 1 号",
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
    }
    async with runtime.database.transaction() as tx:
        shop = Shop(**(values | changes))
        tx.add(shop)
    return shop


def link_body(counter: Counter, shop: Shop, **changes: Any) -> dict[str, Any]:
    body = {"org_id": str(counter.merchant.org_id), "shop_id": str(shop.id), "rule_key": RULE}
    return body | changes


async def poster_code(api: httpx.AsyncClient, organizer: TestPerson, place: str) -> str:
    reply = await api.get(f"{PLACES}/{place}/poster", headers=organizer.headers)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["code"])


async def make_linked(api: httpx.AsyncClient, runtime: Runtime, org: Org | None = None) -> Linked:
    """Link a shop of a new merchant of an organisation, by default of a new one."""
    counter = await make_counter(runtime, org=org or await make_org(runtime))
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    agreement = await make_agreement(runtime, counter)
    shop = await make_shop(runtime, counter)
    made = await api.post(PLACES, headers=keyed(organizer), json=link_body(counter, shop))
    assert made.status_code == 201, made.text
    code = await poster_code(api, organizer, made.json()["id"])
    return Linked(counter, shop, organizer, str(agreement.id), made.json(), code)


async def check_in(
    api: httpx.AsyncClient, person: TestPerson, code: str, where: Any = None
) -> httpx.Response:
    """Scan the poster of a linked place; ``where`` is by default in the shop."""
    body = {"code": code, "location": where or position()}
    return await api.post(VISITS, headers=person.headers, json=body)
