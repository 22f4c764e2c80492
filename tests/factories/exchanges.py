"""Exchanges for tests: two programmes with units of their own, and an agreement between them."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import httpx

from app.core.clock import now
from app.core.errors import unwrap
from app.models.ledger import Kind, Purpose
from app.models.orgs import Org
from app.runtime import Runtime
from app.schemas.exchange_agreements import AgreementDecisionIn, ExchangeAgreementIn
from app.services import exchange_agreements as services
from app.services.ledger import posting
from app.services.ledger.types import AccountKey
from tests.factories.http import keyed
from tests.factories.ledger import make_posting
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator
from tests.factories.policies import SHIPPED, open_unit, publish_in

API = "/api/v1"
TERMS = {"rate_points": 3, "other_rate_points": 2, "max_points": 300, "other_max_points": 20}


class Programme(NamedTuple):
    """A root with a programme in a unit of its own; ``unit_id`` is that unit."""

    org: Org
    unit: str
    unit_id: int


class Agreement(NamedTuple):
    id: UUID
    org: Org
    other: Programme


async def make_programme(runtime: Runtime) -> Programme:
    org, unit = await make_org(runtime), await open_unit(runtime)
    await publish_in(runtime, unit, org, SHIPPED)
    async with runtime.database.read() as tx:
        rows = await tx.fetch("SELECT id FROM ledger_units WHERE code = :code", {"code": unit})
    return Programme(org, unit, rows[0].id)


def agreement_body(org: Org, other: Org, **changes: Any) -> dict[str, Any]:
    """Return a proposal: 3 points of one are worth 2 of the other, for a month."""
    ends_at = (now() + timedelta(days=30)).isoformat()
    sides = {"org_id": str(org.id), "other_org_id": str(other.id)}
    return TERMS | sides | {"ends_at": ends_at} | changes


async def make_proposed(
    runtime: Runtime, org: Org, other: Org, proposer: TestPerson | None = None, **changes: Any
) -> UUID:
    """Propose an agreement; return its id."""
    by = proposer or await make_administrator(runtime, org.id)
    body = ExchangeAgreementIn.model_validate(agreement_body(org, other, **changes))
    async with runtime.database.transaction() as tx:
        return (await services.propose(tx, by.id, body)).id


async def make_exchange_agreement(
    runtime: Runtime, org: Org | None = None, **changes: Any
) -> Agreement:
    """Return an agreement of an organisation in ``points`` with another county's."""
    home, other = org or await make_org(runtime), await make_programme(runtime)
    made = await make_proposed(runtime, home, other.org, **changes)
    by = await make_administrator(runtime, other.org.id)
    accepted = AgreementDecisionIn(accepted=True, reason="同意")
    async with runtime.database.transaction() as tx:
        await services.decide(tx, by.id, made, accepted)
    return Agreement(made, home, other)


async def give_in(
    runtime: Runtime,
    person: UUID,
    points: int,
    programme: Programme,
    expires_at: datetime | None = None,
) -> None:
    """Give points of another programme."""
    entry = make_posting(
        AccountKey(programme.org.id, Purpose.fund, programme.unit_id),
        AccountKey(person, Purpose.available, programme.unit_id),
        points,
        Kind.award,
        org=programme.org.id,
        expires_at=expires_at or now() + timedelta(days=700),
    )
    async with runtime.database.transaction() as tx:
        unwrap(await posting.post(tx, [entry], now()))


async def exchange(
    api: httpx.AsyncClient, who: TestPerson, agreement: Agreement, org: Org, points: int
) -> httpx.Response:
    body = {"agreement_id": str(agreement.id), "org_id": str(org.id), "points": points}
    return await api.post(f"{API}/exchanges", headers=keyed(who), json=body)
