"""Reading and spending a person's points through the API."""

from typing import Any

import httpx

from app.runtime import Runtime
from tests.factories.http import keyed, walk
from tests.factories.people import TestPerson
from tests.factories.rewards import Counter, make_card_codes, make_counter

API = "/api/v1"


async def points(api: httpx.AsyncClient, person: TestPerson) -> dict[str, Any]:
    response = await api.get(f"{API}/me/points", headers=person.headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


async def entries(api: httpx.AsyncClient, person: TestPerson, **params: Any) -> list[Any]:
    """Read a passbook, newest first."""
    return await walk(api, f"{API}/me/points/entries", person.headers, **params)


async def refund(api: httpx.AsyncClient, counter: Counter, charge: str) -> None:
    response = await api.post(
        f"{API}/merchant/charges/{charge}/refund",
        headers=keyed(counter.staff),
        json={"reason": "退货"},
    )
    assert response.status_code == 200, response.text


async def spend(
    api: httpx.AsyncClient,
    runtime: Runtime,
    person: TestPerson,
    amount: int,
    counter: Counter | None = None,
) -> str:
    """Charge a person points at a counter; return the charge's id."""
    counter = counter or await make_counter(runtime)
    code = (await make_card_codes(runtime, person, 1))[0]
    response = await api.post(
        f"{API}/merchant/charges",
        headers=keyed(counter.staff),
        json={"card_code": code, "points": amount, "note": "咖啡"},
    )
    assert response.status_code == 201, response.text
    return str(response.json()["id"])
