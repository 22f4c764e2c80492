"""The inbox for tests, after relaying the outbox."""

from datetime import datetime
from typing import Any

import httpx

from app.core.clock import SHANGHAI
from app.jobs.outbox import relay
from app.runtime import Runtime
from tests.factories.http import walk
from tests.factories.people import TestPerson

NOTICES = "/api/v1/me/notices"
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


async def inbox(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, language: str = "zh-CN"
) -> list[dict[str, Any]]:
    """Relay due messages; return a person's notices, newest first."""
    await relay(runtime)
    return await walk(api, NOTICES, person.headers | {"Accept-Language": language})


async def mark_read(api: httpx.AsyncClient, person: TestPerson, up_to: str) -> int:
    """Mark notices as read; return the number of unread ones."""
    response = await api.post(f"{NOTICES}/read", headers=person.headers, json={"up_to": up_to})
    assert response.status_code == 200, response.text
    return int(response.json()["unread"])


def in_words(moment: str) -> tuple[str, str]:
    """Write a moment of the API as its readers in both languages see it."""
    at = datetime.fromisoformat(moment).astimezone(SHANGHAI)
    clock = f"{at.hour:02}:{at.minute:02}"
    return (
        f"{at.year}年{at.month}月{at.day}日 {clock}",
        f"{at.day} {MONTHS[at.month - 1]} {at.year}, {clock}",
    )
