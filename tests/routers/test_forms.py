"""Forms: written in versions by organizers, published, retired."""

from typing import Any

import httpx
import pytest

from app.models.orgs import Level
from app.runtime import Runtime
from tests.factories.forms import QUESTIONS, SIZES, edit_form, form_body, make_form
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer
from tests.routers.test_audit import entries
from tests.security.schema_world import MANY, Known, Setup
from tests.security.world import Ask, World

FORMS = "/api/v1/forms"
MATRIX = """
operation    rule       nobody alice bob  counter rival sibling parent auditor admin outsider
createForm   organizer  401    403   403  403     403   403     201+   403     201+  403
listForms    reader     401    403   403  403     403   403     200+   200+    200+  403
getForm      reader     401    403   403  403     403   404     200+   200+    200+  404       404=forms.not_found
editForm     organizer  401    403   403  403     403   404     200+   403     200+  404       404=forms.not_found
publishForm  organizer  401    403   403  403     403   404     200+   403     200+  404       404=forms.not_found
retireForm   organizer  401    403   403  403     403   404     200+   403     200+  404       404=forms.not_found
"""  # noqa: E501 - a table
HERS = {"forms": "org_id = :home", "form_versions": "created_by = :alice"}
BESIDE_POINTS = {"forms", "form_versions"}
BEYOND_THE_SCHEMA = {
    "request.precondition_failed",
    "forms.wrong_state",
    "body.questions",  # keys that are there twice; pictures in all
    "query.number",
}


async def _create(world: World) -> Ask:
    return Ask(body=form_body(world.home))


async def _made(world: World) -> Ask:
    organizer = await make_organizer(world.runtime, world.home.id)
    made = await make_form(world.api, organizer, world.home, publish=False)
    return Ask({"form_id": made["id"]})


async def _listed(world: World) -> Ask:
    return Ask((await _made(world)).ids, query={"org_id": str(world.home.id)})


async def _edit(world: World) -> Ask:
    return Ask((await _made(world)).ids, {"title": "新表", "questions": QUESTIONS})


REQUESTS = {
    "createForm": _create,
    "listForms": _listed,
    "getForm": _made,
    "editForm": _edit,
    "publishForm": _made,
    "retireForm": _made,
}


async def known(setup: Setup) -> Known:
    made = [
        await make_form(setup.api, setup.organizer, setup.org, publish=n > 0) for n in range(MANY)
    ]
    return {"form_id": [one["id"] for one in made]}


async def test_a_form_is_edited_in_versions_and_retired(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    first = await make_form(api, organizer, org, publish=False)
    path = f"{FORMS}/{first['id']}"
    assert (first["state"], first["version"], first["number"]) == ("draft", 1, 1)
    assert {one["key"]: one["kind"] for one in first["questions"]} == {
        one["key"]: one["kind"] for one in QUESTIONS
    }
    changed = {"title": "报名表", "questions": QUESTIONS[:2]}

    second = await edit_form(api, organizer, first, changed)
    again = await edit_form(api, organizer, second, changed)
    stale = await api.put(path, headers=organizer.headers | {"If-Match": '"1"'}, json=changed)

    assert (second["version"], len(second["questions"])) == (2, 2)
    assert again == second, "an edit that changes nothing makes no version"
    assert_refused(stale, 412, "request.precondition_failed")
    old = await api.get(path, headers=organizer.headers, params={"number": 1})
    assert (old.json()["questions"], old.json()["number"]) == (first["questions"], 1)
    missing = await api.get(path, headers=organizer.headers, params={"number": 3})
    assert_refused(missing, 404, "forms.not_found")
    moves = [
        await api.post(f"{path}/{one}", headers=keyed(organizer))
        for one in ("publish", "publish", "retire", "publish")
    ]
    assert [one.status_code for one in moves] == [200, 409, 200, 409]
    assert moves[3].json()["facts"] == {"status": "retired"}
    headers = organizer.headers | {"If-Match": '"2"'}
    assert_refused(await api.put(path, headers=headers, json=changed), 409, "forms.wrong_state")
    told = await entries(api, await make_administrator(runtime, org.id), org)
    assert [one["verb"] for one in told] == ["moved", "moved", "edited", "created"]
    assert (told[2]["fields"], told[2]["facts"]) == (["questions"], {"version": 2})


async def test_an_organisation_may_use_published_forms_from_above(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    home, sibling = [
        await make_org(runtime, parent=street, level=Level.community) for _ in range(2)
    ]
    boss, below = [await make_organizer(runtime, org.id) for org in (street, home)]
    above, own, _ = [await make_form(api, boss, org) for org in (street, home, sibling)]
    draft = await make_form(api, boss, home, publish=False)

    async def ids(caller: Any, **query: Any) -> list[str]:
        found = await walk(api, FORMS, caller.headers, limit=2, **query)
        return [one["id"] for one in found]

    assert await ids(below, org_id=str(home.id), usable=True) == [own["id"], above["id"]]
    assert await ids(below, org_id=str(home.id)) == [draft["id"], own["id"]]
    assert await ids(below, org_id=str(home.id), state="draft") == [draft["id"]]
    assert len(await ids(boss, org_id=str(street.id))) == 4
    assert (await api.get(f"{FORMS}/{above['id']}", headers=below.headers)).status_code == 200


def _nested(depth: int) -> Any:
    found: Any = "x"
    for _ in range(depth):
        found = [found]
    return found


TEXT: dict[str, Any] = {"key": "a", "kind": "text", "label": "问"}
CHOICE = TEXT | {"kind": "single_choice", "choices": SIZES}
REFUSED_QUESTIONS: dict[str, list[Any]] = {
    "500 questions": [TEXT | {"key": f"q{n}"} for n in range(500)],
    "61 questions": [TEXT | {"key": f"q{n}"} for n in range(61)],
    "none": [],
    "a regular expression": [TEXT | {"pattern": "^(a+)+$"}],
    "a key that is an expression": [TEXT | {"key": "(a+)+$"}],
    "a key that is there twice": [TEXT, TEXT],
    "another kind": [TEXT | {"kind": "regex"}],
    "no kind": [{"key": "a", "label": "问"}],
    "bounds of another kind": [TEXT | {"min": 1}],
    "a text beyond all bounds": [TEXT | {"max_length": 1001}],
    "a label of two lines": [TEXT | {"label": "问\n答"}],
    "one choice": [CHOICE | {"choices": SIZES[:1]}],
    "51 choices": [CHOICE | {"choices": [{"key": f"c{n}", "label": "选"} for n in range(51)]}],
    "a choice twice": [CHOICE | {"choices": [SIZES[0], SIZES[0]]}],
    "numbers in no order": [TEXT | {"kind": "number", "min": 2, "max": 1}],
    "ten pictures": [TEXT | {"kind": "picture", "key": key, "most": 5} for key in "ab"],
    "a nested bomb": [TEXT | {"label": _nested(500)}],
    "questions in a question": [TEXT | {"questions": [TEXT]}],
    "required by a word": [TEXT | {"required": "yes"}],
}


@pytest.mark.parametrize("questions", REFUSED_QUESTIONS.values(), ids=REFUSED_QUESTIONS.keys())
async def test_a_definition_is_refused_by_its_field(
    api: httpx.AsyncClient, runtime: Runtime, questions: list[Any]
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = form_body(org, questions=questions)
    for language in ("zh-CN", "en"):
        headers = keyed(organizer) | {"Accept-Language": language}
        refused = await api.post(FORMS, headers=headers, json=body)
        assert_refused(refused, 422, "request.invalid")
        errors = refused.json()["errors"]
        assert all(one["field"].startswith("body.questions") for one in errors)
        assert all(one["msg"].isascii() is (language == "en") for one in errors)
        assert "regex" not in refused.text, "what was sent is not repeated"
