"""The inbox for tests: what a person reads once the outbox has been relayed."""

from typing import Any

import httpx

from app.jobs.outbox import relay
from app.runtime import Runtime
from tests.factories.http import walk
from tests.factories.people import TestPerson

NOTICES = "/api/v1/me/notices"


async def inbox(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, language: str = "zh-CN"
) -> list[dict[str, Any]]:
    """Relay what is due and return a person's notices, newest first."""
    await relay(runtime)
    return await walk(api, NOTICES, person.headers | {"Accept-Language": language})


async def mark_read(api: httpx.AsyncClient, person: TestPerson, up_to: str) -> int:
    """Mark notices as read; return how many are still unread."""
    response = await api.post(f"{NOTICES}/read", headers=person.headers, json={"up_to": up_to})
    assert response.status_code == 200, response.text
    return int(response.json()["unread"])
