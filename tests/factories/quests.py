"""Quests for tests: begun an hour ago, with checkpoints 55 m apart."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx

from app.core.clock import now
from app.models.orgs import Org
from tests.factories.http import keyed
from tests.factories.people import TestPerson

API = "/api/v1"
QUESTS, VISITS = f"{API}/quests", f"{API}/quest-visits"
LATITUDE, LONGITUDE = 32.2368, 119.8267
AN_HOUR = timedelta(hours=1)
STEP = 0.0005  # degrees of latitude


def checkpoint_body(place: int = 0, **changes: Any) -> dict[str, Any]:
    location = {
        "name": f"{place} 号点",
        "latitude": LATITUDE + place * STEP,
        "longitude": LONGITUDE,
        "radius_m": 100,
    }
    return {"title": f"第 {place} 站", "location": location} | changes


def quest_body(org: Org, **changes: Any) -> dict[str, Any]:
    """Return a valid body of POST /quests; two of its checkpoints complete it."""
    return {
        "org_id": str(org.id),
        "title": "青年打卡江城",
        "description": "任选两处",
        "starts_at": (now() - AN_HOUR).isoformat(),
        "ends_at": (now() + AN_HOUR).isoformat(),
        "rule_key": "quest_complete",
        "needed": 2,
        "checkpoints": [checkpoint_body(place) for place in range(3)],
    } | changes


async def draft(api: httpx.AsyncClient, organizer: TestPerson, body: Any) -> dict[str, Any]:
    reply = await api.post(QUESTS, headers=keyed(organizer), json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def move(
    api: httpx.AsyncClient, organizer: TestPerson, quest: dict[str, Any], verb: str
) -> httpx.Response:
    return await api.post(f"{QUESTS}/{quest['id']}/{verb}", headers=keyed(organizer))


async def make_quest(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, **changes: Any
) -> dict[str, Any]:
    """Draft and publish a quest."""
    made = await draft(api, organizer, quest_body(org, **changes))
    reply = await move(api, organizer, made, "publish")
    assert reply.status_code == 200, reply.text
    published: dict[str, Any] = reply.json()
    return published


def poster_path(quest: dict[str, Any], number: int) -> str:
    return f"{QUESTS}/{quest['id']}/checkpoints/{number}/poster"


async def codes_of(
    api: httpx.AsyncClient, organizer: TestPerson, quest: dict[str, Any]
) -> list[str]:
    """Return the codes of the posters of a quest, in the order of its checkpoints."""
    found = []
    for one in quest["checkpoints"]:
        reply = await api.get(poster_path(quest, one["number"]), headers=organizer.headers)
        assert reply.status_code == 200, reply.text
        found.append(reply.json()["code"])
    return found


def position(place: float = 0, **changes: Any) -> dict[str, Any]:
    """Return where the phone is: at a checkpoint of ``checkpoint_body``, or between two."""
    return {
        "latitude": LATITUDE + place * STEP,
        "longitude": LONGITUDE,
        "accuracy_m": 10,
        "coordinate_system": "gcj02",
    } | changes


async def visit(
    api: httpx.AsyncClient, person: TestPerson, code: str, where: Any = None
) -> httpx.Response:
    """Scan a poster; ``where`` is by default the first checkpoint."""
    body = {"code": code, "location": where or position()}
    return await api.post(VISITS, headers=person.headers, json=body)


async def complete(
    api: httpx.AsyncClient, person: TestPerson, codes: Sequence[str]
) -> dict[str, Any]:
    """Visit the first checkpoints of a quest; return the last reply."""
    for place, code in enumerate(codes):
        reply = await visit(api, person, code, position(place))
        assert reply.status_code == 201, reply.text
    result: dict[str, Any] = reply.json()
    return result
