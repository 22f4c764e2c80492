"""Deductions for tests."""

from typing import Any
from uuid import uuid4

import httpx

from app.models.orgs import Org
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


async def deduct(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, person: TestPerson, **changes: Any
) -> dict[str, Any]:
    response = await api.post(
        "/api/v1/deductions",
        headers=keyed(organizer),
        json=deduction_body(org, person, **changes),
    )
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found
