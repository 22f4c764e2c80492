"""Forms and activities that have one, for tests."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.models.activities import Activity
from app.models.orgs import Org
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.http import keyed
from tests.factories.people import TestPerson

API = "/api/v1"
Json = dict[str, Any]
SIZES = [{"key": "m", "label": "中号", "label_en": "Medium"}, {"key": "l", "label": "大号"}]
# One question of each kind.
QUESTIONS: list[Json] = [
    {"key": "why", "kind": "text", "label": "为什么参加", "max_length": 10},
    {"key": "age", "kind": "number", "label": "年龄", "min": 14, "max": 60},
    {"key": "size", "kind": "single_choice", "label": "尺码", "choices": SIZES, "required": True},
    {"key": "days", "kind": "multiple_choice", "label": "哪几天", "choices": SIZES, "most": 1},
    {"key": "since", "kind": "date", "label": "何时入团", "label_en": "Member since"},
    {"key": "phone", "kind": "phone", "label": "电话", "required": True},
    {"key": "agreed", "kind": "consent", "label": "已知悉", "required": True},
    {"key": "photo", "kind": "picture", "label": "证书", "most": 2},
]
ANSWERS: Json = {"size": "l", "phone": "+86 138-1234-5678", "agreed": True, "why": "=帮忙"}
KEPT: Json = ANSWERS | {"phone": "13812345678"}


def form_body(org: Org, **changes: Any) -> Json:
    return {"org_id": str(org.id), "title": "报名表", "questions": QUESTIONS} | changes


async def make_form(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, *, publish: bool = True, **changes: Any
) -> Json:
    body = form_body(org, **changes)
    made = await api.post(f"{API}/forms", headers=keyed(organizer), json=body)
    assert made.status_code == 201, made.text
    found: Json = made.json()
    if publish:
        path = f"{API}/forms/{found['id']}/publish"
        assert (await api.post(path, headers=keyed(organizer))).status_code == 200
    return found


async def edit_form(api: httpx.AsyncClient, organizer: TestPerson, form: Json, body: Any) -> Json:
    headers = organizer.headers | {"If-Match": f'"{form["version"]}"'}
    reply = await api.put(f"{API}/forms/{form['id']}", headers=headers, json=body)
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    return found


async def set_form(
    api: httpx.AsyncClient, organizer: TestPerson, activity: UUID, form: Json
) -> Json:
    path, body = f"{API}/activities/{activity}/form", {"form_id": form["id"]}
    reply = await api.put(path, headers=organizer.headers, json=body)
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    return found


async def make_asking(
    api: httpx.AsyncClient,
    runtime: Runtime,
    organizer: TestPerson,
    org: Org,
    form: Json | None = None,
    **activity: Any,
) -> tuple[Activity, Json]:
    """Make an activity of tomorrow with a form; return it and what it asks."""
    times = {"starts_at": now() + timedelta(days=1)} | activity
    made = await make_activity(runtime, org=org, **times)
    form = form or await make_form(api, organizer, org)
    return made, await set_form(api, organizer, made.id, form)


async def answer(
    api: httpx.AsyncClient, person: TestPerson, asked: Json, answers: Any = None
) -> httpx.Response:
    body = {"form_version_id": asked["form_version_id"], "answers": answers or ANSWERS}
    path = f"{API}/activities/{asked['activity_id']}/answers"
    return await api.put(path, headers=person.headers, json=body)
