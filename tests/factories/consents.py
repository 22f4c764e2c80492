"""Consents for tests."""

from typing import Any

import httpx

from app.models.consents import ConsentDocument
from app.services.consents import texts
from tests.factories.http import keyed
from tests.factories.people import TestPerson

CONSENTS = "/api/v1/me/consents"


def consent(document: ConsentDocument, **changes: Any) -> dict[str, Any]:
    """Return the body of a consent to the text in force."""
    body: dict[str, Any] = {"document": document, "version": texts()[document].version}
    if document is ConsentDocument.guardian and changes.get("given", True):
        body["guardian"] = {"name": "王大四", "relation": "parent"}
    return body | changes


async def agree(
    api: httpx.AsyncClient, person: TestPerson, document: ConsentDocument, **changes: Any
) -> httpx.Response:
    return await api.put(CONSENTS, headers=keyed(person), json=consent(document, **changes))
