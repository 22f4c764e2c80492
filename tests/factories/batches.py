"""Batches of awards for tests: blood donations, whose certificate numbers count once."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx

from app.models.orgs import Org
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people

BATCHES = "/api/v1/awards/batches"
Case = tuple[Org, TestPerson, list[TestPerson]]


async def make_case(runtime: Runtime) -> Case:
    """Create an organisation, its organizer, and three residents."""
    org = await make_org(runtime)
    return org, await make_organizer(runtime, org.id), await make_people(runtime, 3)


def number() -> str:
    return f"案{uuid4().hex}"


def donation(person: TestPerson, certificate: str | None = None) -> dict[str, Any]:
    """Return a row: 10 points, with a certificate number that counts once."""
    return {"person_id": str(person.id), "evidence": {"certificate": certificate or number()}}


def body(org: Org, rows: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {"rule_key": "blood_donation", "org_id": str(org.id), "rows": list(rows)} | changes


async def send(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, *rows: dict[str, Any], **changes: Any
) -> httpx.Response:
    return await api.post(BATCHES, headers=keyed(organizer), json=body(org, rows, **changes))


def wrong(response: httpx.Response) -> list[tuple[int, str]]:
    """Return row and field of every error of a refused batch."""
    assert_refused(response, 422, "awards.rows_wrong")
    return [(one["row"], one["field"]) for one in response.json()["errors"]]
