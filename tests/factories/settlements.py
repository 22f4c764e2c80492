"""Agreements, charges of a past month and settled months for tests."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import local_date, midnight, month_start, now
from app.core.errors import unwrap
from app.models.agreements import Agreement, AgreementState
from app.models.orgs import Org
from app.runtime import Runtime
from app.schemas.redemptions import ChargeOut
from app.schemas.settlements import SettlementDetailOut, SettlementIn
from app.services.redemptions import charges
from app.services.redemptions.charges import ChargeCommand
from app.services.settlements import settling
from tests.factories.clock import travel
from tests.factories.http import keyed
from tests.factories.ledger import give_points
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.rewards import Counter, make_card_codes

API = "/api/v1"


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def first_of(months_ago: int = 0) -> date:
    """Return the first day of this month, or of one before."""
    today = local_date(now())
    return local_date(month_start(today.year, today.month, plus=-months_ago))


def middle_of(months_ago: int) -> datetime:
    """Return noon of the tenth of a month before this one."""
    return midnight(first_of(months_ago)) + timedelta(days=9, hours=12)


# So many months ago: last month may have ended a minute ago.
PAST = 2


async def make_agreement(
    runtime: Runtime, counter: Counter, org: UUID | None = None, **changes: Any
) -> Agreement:
    """Create an accepted agreement: 10 cents a point, all paid, from a past month on."""
    org_id = org or counter.merchant.org_id
    organizer = await make_organizer(runtime, org_id)
    values: dict[str, Any] = {
        "org_id": org_id,
        "created_by": organizer.id,
        "merchant_id": counter.merchant.id,
        "since": first_of(PAST),
        "cents_per_point": 10,
        "subsidy_percent": 100,
        "state": AgreementState.active,
    }
    async with runtime.database.transaction() as tx:
        made = Agreement(**(values | changes))
        tx.add(made)
    return made


async def charge_at(
    runtime: Runtime, counter: Counter, points: int, at: datetime, home: Org | None = None
) -> tuple[TestPerson, ChargeOut]:
    """Charge a new resident, who lives at ``home``, at a past moment."""
    person = await make_person(runtime)
    if home is not None:
        await settle_down(runtime, person, home)
    await give_points(runtime, person.id, points, at=at - timedelta(days=1))
    [code] = await make_card_codes(runtime, person, 1)
    command = ChargeCommand(counter.staff.id, code, points, "咖啡", counter.merchant.id)
    async with runtime.database.transaction() as tx:
        made = unwrap(await charges.charge(tx, [command], at))
    return person, made


async def settle_down(runtime: Runtime, person: TestPerson, home: Org) -> None:
    """Let a person live in a community."""
    async with runtime.database.transaction() as tx:
        moved = "UPDATE people SET community_id = :home WHERE id = :person"
        await tx.fetch(moved, {"home": home.id, "person": person.id})


async def settle(
    api: httpx.AsyncClient, who: TestPerson, counter: Counter, org: UUID, month: str
) -> httpx.Response:
    body = {"org_id": str(org), "merchant_id": str(counter.merchant.id), "month": month}
    return await api.post(f"{API}/settlements", headers=keyed(who), json=body)


async def make_settlement(
    api: httpx.AsyncClient, runtime: Runtime, counter: Counter, points: int = 20
) -> tuple[dict[str, Any], str]:
    """Settle a past month of a merchant, with one charge; return it and the charge's line."""
    await make_agreement(runtime, counter)
    _, charge = await charge_at(runtime, counter, points, middle_of(PAST))
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    month = month_of(first_of(PAST))
    made = await settle(api, organizer, counter, counter.merchant.org_id, month)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found, str(charge.id)


async def dispute(
    api: httpx.AsyncClient, who: TestPerson, settlement: str, line: str
) -> httpx.Response:
    body = {"transfer_id": line, "reason": "当天已退现金"}
    path = f"{API}/settlements/{settlement}/disputes"
    return await api.post(path, headers=keyed(who), json=body)


async def settle_in_next_month(
    runtime: Runtime, who: TestPerson, counter: Counter, org_id: UUID
) -> SettlementDetailOut:
    """Settle this month, as if the next one had begun."""
    body = SettlementIn(org_id=org_id, merchant_id=counter.merchant.id, month=month_of(first_of()))
    with travel(midnight(first_of(-1)) + timedelta(days=2)):
        async with runtime.database.transaction() as tx:
            return await settling.settle(tx, who.id, body)
