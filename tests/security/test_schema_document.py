"""The parts of the OpenAPI document that FastAPI did not write."""

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.access import ANYONE, KEY_PATTERN, allow
from app.api.openapi import HEADERS, KEY, additions_by_operation, document
from app.api.operations import leads_to
from app.api.routes import Router
from app.runtime import Runtime
from app.services.idempotency import KeyMalformed, KeyMissing, parse_key
from tests.factories.activities import activity_body
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_person

API = "/api/v1"


Operations = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def operations(app: FastAPI) -> Operations:
    return operations_of(app)


def operations_of(app: FastAPI) -> Operations:
    paths = app.openapi()["paths"].values()
    return {one["operationId"]: one for methods in paths for one in methods.values()}


def inputs(app: FastAPI, operation: dict[str, Any]) -> set[str]:
    """Every name that a request of the operation may give a value."""
    found = {parameter["name"] for parameter in operation.get("parameters", [])}
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        named = app.openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        found |= {f"body.{name}" for name in named["properties"]}
    return found


def broken_links(app: FastAPI) -> list[str]:
    """Return the declared links that no accepted reply has, or that lead to no input."""
    operations = operations_of(app)
    return [
        f"{source} to {target}, {place}"
        for source, additions in additions_by_operation(app).items()
        for target, places in additions.links.items()
        for place in places
        if not _is_sound(app, operations, source, target, place)
    ]


def _is_sound(app: FastAPI, operations: Operations, source: str, target: str, place: str) -> bool:
    accepted = [r for s, r in operations[source]["responses"].items() if s in {"200", "201", "202"}]
    stands = bool(accepted) and all(target in response.get("links", {}) for response in accepted)
    # ``body.answers.0.template_id`` is a part of the input ``body.answers``.
    whole = ".".join(place.split(".")[:2])
    return stands and target in operations and whole in inputs(app, operations[target])


def test_every_link_leads_to_an_input(app: FastAPI) -> None:
    declared = [additions.links for additions in additions_by_operation(app).values()]
    assert sum(map(len, declared)) > 15
    assert broken_links(app) == []


def test_a_link_that_leads_nowhere_would_be_found() -> None:
    router = Router()

    @router.get("/targets", operation_id="target", **allow(ANYONE))
    async def target(known: str) -> None: ...

    @router.get("/sources", operation_id="source", **allow(ANYONE))
    @leads_to("target", {"unknown": "id"})
    @leads_to("missing", {"id": "id"})
    async def source() -> None: ...

    @router.delete("/sources", status_code=204, operation_id="removeSource", **allow(ANYONE))
    @leads_to("target", {"known": "id"})
    async def remove_source() -> None: ...

    flawed = FastAPI()
    flawed.include_router(router)
    flawed.openapi = lambda: document(flawed)  # type: ignore[method-assign]  # FastAPI's own way

    assert broken_links(flawed) == [
        "source to target, unknown",
        "source to missing, id",
        "removeSource to target, known",
    ]


def test_every_list_links_to_its_next_page(operations: Operations) -> None:
    paged = [
        one
        for one in operations.values()
        if "cursor" in {p["name"] for p in one.get("parameters", [])}
    ]
    assert len(paged) > 5
    assert all("nextPage" in one["responses"]["200"]["links"] for one in paged)


def test_what_is_naturally_idempotent_answers_alike(app: FastAPI, operations: Operations) -> None:
    repeated = [n for n, one in additions_by_operation(app).items() if one.naturally_idempotent]
    assert "signUp" in repeated
    for name in repeated:
        responses = operations[name]["responses"]
        assert responses["200"]["content"] == responses["201"]["content"]


def test_every_header_is_used(app: FastAPI) -> None:
    document = str(app.openapi()["paths"])
    assert [name for name in HEADERS if f"#/components/headers/{name}'" not in document] == []


def test_writes_that_take_a_key_demand_it(operations: Operations) -> None:
    keys = [p for one in operations.values() for p in one.get("parameters", []) if p["name"] == KEY]
    assert len(keys) > 5
    assert all(key["required"] for key in keys)


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "ab",
        'a"b',
        '"a"',
        '"a b"',
        '"""',
        '"',
        '""',
        '"a',
        'a"',
        "a b",
        "ü",
        "",
        "a" * 255,
        "a" * 256,
        '"' + "a" * 255 + '"',
        '"' + "a" * 256 + '"',
    ],
)
def test_the_pattern_of_a_key_is_what_is_taken(key: str) -> None:
    try:
        parse_key(key)
        taken = True
    except (KeyMissing, KeyMalformed):
        taken = False
    assert (re.fullmatch(KEY_PATTERN, key) is not None) is taken


TEXTS = [
    "树",
    " 树 ",
    "a\nb",
    "a\tb",
    "",
    " ",
    "\n",
    "a\x00b",
    "a\x1fb",
    "a\x0bb",
    "a\u202eb",
    "a\u2066b",
]


@pytest.mark.parametrize("text", TEXTS)
async def test_the_pattern_of_a_line_is_what_is_taken(
    api: httpx.AsyncClient, app: FastAPI, runtime: Runtime, text: str
) -> None:
    pattern = app.openapi()["components"]["schemas"]["ActivityIn"]["properties"]["title"]["pattern"]
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = activity_body(org, title=text)
    answer = await api.post(f"{API}/activities", headers=organizer.headers, json=body)
    assert answer.status_code == (201 if re.fullmatch(pattern, text) else 422), answer.text


async def test_what_is_unchanged_is_answered_as_documented(
    api: httpx.AsyncClient, runtime: Runtime, operations: Operations
) -> None:
    person = await make_person(runtime)
    first = await api.get(f"{API}/me", headers=person.headers)
    headers = person.headers | {"If-None-Match": first.headers["etag"]}
    again = await api.get(f"{API}/me", headers=headers)
    assert again.status_code == 304
    assert set(operations["getMe"]["responses"]["304"]["headers"]) <= {
        name for name in HEADERS if name.lower() in again.headers
    }


@pytest.mark.parametrize("path", ["/orgs", "/activities", "/rewards", "/leaderboards"])
async def test_a_wrong_token_where_none_is_needed_is_refused_as_documented(
    api: httpx.AsyncClient, app: FastAPI, path: str
) -> None:
    answer = await api.get(API + path, headers={"Authorization": "Bearer wrong"})
    documented = app.openapi()["paths"][API + path]["get"]["responses"]
    assert answer.status_code == 401
    assert "`auth.token_invalid`" in documented["401"]["description"]
    assert {name.lower() for name in documented["401"]["headers"]} <= set(answer.headers)


def test_every_route_with_a_key_describes_its_repeated_replies(operations: dict[str, Any]) -> None:
    keyed = {
        name
        for name, one in operations.items()
        if any(parameter["name"] == KEY for parameter in one.get("parameters", []))
    }
    described = {
        name: {
            status
            for status, reply in one["responses"].items()
            if "Idempotency-Replayed" in reply["headers"]
        }
        for name, one in operations.items()
    }
    assert keyed == {name for name, statuses in described.items() if statuses}
    assert len(keyed) > 20
    assert described["deductPoints"] == {"201", "400", "403", "404", "409", "413", "422"}
