"""Deductions for tests."""

from typing import Any, cast
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import update
from sqlmodel import col

from app.models.orgs import Org
from app.models.people import Person
from app.runtime import Runtime
from tests.factories.http import keyed
from tests.factories.people import TestPerson


def deduction_body(org: Org, person: TestPerson, **changes: Any) -> dict[str, Any]:
    """Return a valid body of POST /deductions: two points for a missed activity."""
    return {
        "rule_key": "no_show",
        "org_id": str(org.id),
        "person_id": str(person.id),
        "evidence": {"activity": f"清明植树 {uuid4()}"},
    } | changes


async def belong(runtime: Runtime, org: Org, *people: TestPerson) -> None:
    """Let people live in an organisation, which may then deduct from them."""
    async with runtime.database.transaction() as tx:
        ids = [one.id for one in people]
        await tx.execute(update(Person).where(col(Person.id).in_(ids)).values(community_id=org.id))


async def deduct(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, person: TestPerson, **changes: Any
) -> dict[str, Any]:
    transport = cast("httpx.ASGITransport", api._transport)
    await belong(cast("FastAPI", transport.app).state.runtime, org, person)
    response = await api.post(
        "/api/v1/deductions",
        headers=keyed(organizer),
        json=deduction_body(org, person, **changes),
    )
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found
