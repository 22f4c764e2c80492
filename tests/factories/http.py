"""Small helpers for calling the API."""

from uuid import uuid4

import httpx

from tests.factories.people import TestPerson


def keyed(person: TestPerson, key: str | None = None) -> dict[str, str]:
    """Return the person's headers with an Idempotency-Key, a new one unless given."""
    return person.headers | {"Idempotency-Key": key or str(uuid4())}


def assert_refused(response: httpx.Response, status: int, code: str) -> None:
    """Assert the problem body of DESIGN.md 5 with this code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"urn:qingxiang:problem:{code}"
    assert body["title"]
    assert body["detail"] == body["msg"]
    assert body["request_id"] == response.headers["x-request-id"]
