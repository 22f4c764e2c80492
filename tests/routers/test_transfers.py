"""A transfer by its id: both accounts, its source, what reverses it, its seal."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.jobs import seals
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.awards import give_award, reverse
from tests.factories.funds import receive
from tests.factories.http import assert_refused, in_process
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person, make_with_role
from tests.routers.test_audit import entries
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

TRANSFERS = "/api/v1/ledger/transfers"
MATRIX = """
operation    rule     nobody alice bob  counter rival sibling parent auditor admin outsider
getTransfer  auditor  401    403   403  403     403   403     403    200+    200+  404  404=ledger.transfer_not_found
"""  # noqa: E501 - a table


async def _transfer(world: World) -> Ask:
    given = await give_award(world.runtime, world.alice, world.home, points=1, days_ago=2)
    return Ask({"transfer_id": str(given)})


REQUESTS = {"getTransfer": _transfer}


async def known(setup: Setup) -> Known:
    given = await give_award(setup.runtime, setup.others[0], setup.org)
    return {"transfer_id": [str(given)]}


async def looked_up(api: httpx.AsyncClient, reader: TestPerson, transfer: object) -> Any:
    reply = await api.get(f"{TRANSFERS}/{transfer}", headers=reader.headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.usefixtures("at_noon")
async def test_a_transfer_tells_both_sides_and_what_reverses_it(alone: FastAPI) -> None:
    async with in_process(alone) as api:
        await _transfer_and_parts(api, alone.state.runtime)


async def _transfer_and_parts(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    administrator = await make_administrator(runtime, org.id)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    award = await give_award(runtime, person, org, points=8, days_ago=2)
    await seals.seal(runtime)
    parts = [(await reverse(api, administrator, award, points=n)).json()["id"] for n in (3, 2)]

    seen = await looked_up(api, auditor, award)
    by_administrator = await looked_up(api, administrator, award)
    [part, _] = [await looked_up(api, auditor, one) for one in parts]

    assert (seen["kind"], seen["amount"], seen["unit"]) == ("award", 8, "points")
    assert [seen[side]["owner_kind"] for side in ("payer", "payee")] == ["org", "person"]
    assert [seen[side]["purpose"] for side in ("payer", "payee")] == ["fund", "available"]
    assert seen["payee"]["owner_name"] != by_administrator["payee"]["owner_name"]
    assert by_administrator["payee"]["owner_name"] == person.name
    assert seen["source"]["type"] == "award"
    assert str(org.id) in seen["source"]["href"]
    assert [one["id"] for one in seen["reversed_by"]] == parts
    assert [one["amount"] for one in seen["reversed_by"]] == [3, 2]
    assert seen["seal"]["day"] < part["created_at"][:10]
    assert part["seal"] is None
    assert part["reverses"]["id"] == str(award)
    assert part["reversed_by"] == []
    looks = [one for one in await entries(api, auditor, org) if one["verb"] == "viewed"]
    assert [one["subject"]["id"] for one in looks][-1] == str(award)
    assert len(looks) == 4
    assert_refused(
        await api.get(f"{TRANSFERS}/{org.id}", headers=auditor.headers),
        404,
        "ledger.transfer_not_found",
    )


async def test_a_receipt_is_looked_up_without_a_look_at_anybody(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    receipt = await receive(runtime, org, 5)

    seen = await looked_up(api, auditor, receipt)

    assert [seen[side]["purpose"] for side in ("payer", "payee")] == ["income", "fund"]
    assert seen["source"]["href"].endswith(receipt)
    assert [one["verb"] for one in await entries(api, auditor, org)] == ["created"]
