"""Forms of activities: set by organizers, answered by residents, read by organizers."""

import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from app.core.clock import now
from app.models.activities import ActivityStatus
from app.models.attachments import Attachment
from app.models.orgs import Org
from app.models.people import Role
from app.queries import answers as answer_queries
from app.runtime import Runtime
from app.services import erasures
from tests.factories.activities import make_activity, sign_up
from tests.factories.attachments import PDF, attach, upload
from tests.factories.clock import travel
from tests.factories.exports import FORMS, exported
from tests.factories.forms import (
    ANSWERS,
    KEPT,
    QUESTIONS,
    answer,
    edit_form,
    make_asking,
    make_form,
    set_form,
)
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import (
    make_administrator,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.routers.test_data_copies import ready
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation            rule       nobody alice bob  counter rival sibling parent auditor admin outsider
setActivityForm      organizer  401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
removeActivityForm   organizer  401    403   403  403     403   404     204+   403     204+  404       404=activities.not_found
getActivityForm      anyone     200    200+  200  200     200   200     200    200     200   200
answerActivityForm   person     401    200+  200  200     200   200     200    200     200   200
listActivityAnswers  person     401    403   403  403     403   404     200+   200+    200+  404       404=activities.not_found
"""  # noqa: E501 - a table
HERS = {
    "form_answers": "person_id = :alice",
    "activity_forms": "activity_id IN (SELECT id FROM activities WHERE org_id = :home)",
}
BESIDE_POINTS = {"form_answers", "activity_forms"}
BEYOND_THE_SCHEMA = {
    "body.form_id",
    "body.answers",
    "activities.wrong_state",
    "activities.not_open",
    "activity_forms.not_found",
    "activity_forms.answered",
    "activity_forms.closed",
    "activity_forms.version_replaced",
}


async def _asking(world: World) -> dict[str, Any]:
    """The form is of the street, so that its id is not one of Alice's things."""
    async with world.runtime.database.read() as tx:
        org = await tx.get(Org, world.home.parent_id)
    assert org is not None
    street = await make_organizer(world.runtime, org.id)
    form = await make_form(world.api, street, org)
    _, asked = await make_asking(world.api, world.runtime, street, world.home, form)
    return asked


async def _set(world: World) -> Ask:
    asked = await _asking(world)
    activity = await make_activity(world.runtime, org=world.home)
    return Ask({"activity_id": str(activity.id)}, {"form_id": asked["form_id"]})


async def _unanswered(world: World) -> Ask:
    return Ask({"activity_id": (await _asking(world))["activity_id"]})


async def _answered(world: World) -> Ask:
    asked = await _asking(world)
    assert (await answer(world.api, world.alice, asked)).status_code == 200
    body = {"form_version_id": asked["form_version_id"], "answers": ANSWERS | {"size": "m"}}
    return Ask({"activity_id": asked["activity_id"]}, body)


REQUESTS = {
    "setActivityForm": _set,
    "removeActivityForm": _unanswered,
    "getActivityForm": _answered,
    "answerActivityForm": _answered,
    "listActivityAnswers": _answered,
}


async def known(setup: Setup) -> Known:
    form = await make_form(setup.api, setup.organizer, setup.org)
    made = [
        await make_asking(setup.api, setup.runtime, setup.organizer, setup.org, form)
        for _ in range(FEW)
    ]
    ids = [str(activity.id) for activity, _ in made]
    return {"activity_id": ids, "form_version_id": [form["form_version_id"]]}


async def completion(setup: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        if "answers" in body:
            body["answers"] = ANSWERS

    return complete


async def _begun(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    begun = now() - timedelta(minutes=1)
    _, asked = await make_asking(api, runtime, organizer, org, starts_at=begun)
    path = f"/activities/{asked['activity_id']}/answers"
    body = {"form_version_id": asked["form_version_id"], "answers": ANSWERS}
    return Refused(person, "PUT", path, {"closes_at": begun}, body)


REFUSED = {"activity_forms.closed": _begun}


async def test_a_resident_answers_and_replaces_until_the_start(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    soon = now() + timedelta(minutes=5)  # while the tokens are valid
    activity, asked = await make_asking(api, runtime, organizer, org, starts_at=soon)
    path = f"{API}/activities/{activity.id}/form"
    assert (await api.get(path)).json() == asked | {"mine": None}

    with capture_logs() as logs:
        made = await answer(api, person, asked)
        same = await answer(api, person, asked)
        changed = await answer(api, person, asked, ANSWERS | {"size": "m"})

    assert made.status_code == 200, made.text
    assert made.json()["answers"] == KEPT
    assert same.json() == made.json(), "a repeated PUT changes nothing"
    assert changed.json()["id"] == made.json()["id"]
    mine = (await api.get(path, headers=person.headers)).json()["mine"]
    assert mine == changed.json()
    assert mine["answers"] == KEPT | {"size": "m"}
    told = await entries(api, await make_administrator(runtime, org.id), org)
    own = [one for one in told if one["subject"]["type"] == "activity_answer"]
    assert [one["verb"] for one in own] == ["changed", "created"]
    assert not [one for one in (*told, *logs) if "13812345678" in str(one) or "帮忙" in str(one)]
    with travel(activity.starts_at + timedelta(seconds=1)):
        assert_refused(await answer(api, person, asked), 409, "activity_forms.closed")


BAD_ANSWERS: dict[str, tuple[Any, str]] = {
    "a nested bomb": ({"why": [[[[]]]]}, "why"),
    "an object": ({"why": {"$gt": ""}}, "why"),
    "a number beyond all bounds": ({"age": 10**400}, "age"),
    "a text beyond all bounds": ({"why": "长" * 1001}, "why"),
    "a long list": ({"days": ["m"] * 51}, "days"),
    "what cannot be stored": ({"why": "a\0b"}, "why"),
    "a choice that is not offered": ({"size": "xl"}, "size"),
    "a question of another form": ({"other": "x"}, "other"),
}


@pytest.mark.parametrize(("given", "key"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_a_bad_answer_is_told_by_the_key_of_its_question(
    api: httpx.AsyncClient, runtime: Runtime, given: Any, key: str
) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    _, asked = await make_asking(api, runtime, organizer, org)
    for language in ("zh-CN", "en"):
        speaking = replace(person, headers=person.headers | {"Accept-Language": language})
        refused = await answer(api, speaking, asked, ANSWERS | given)
        assert_refused(refused, 422, "request.invalid")
        [error] = refused.json()["errors"]
        assert error["field"] == f"body.answers.{key}"
        assert error["msg"].isascii() is (language == "en")
    for many in ({"(a+)+$": "x"}, {f"q{n}": "x" for n in range(500)}):
        assert_refused(await answer(api, person, asked, many), 422, "request.invalid")


async def test_answers_belong_to_the_version_that_was_shown(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    early, late = await make_people(runtime, 2)
    form = await make_form(api, organizer, org)
    activity, asked = await make_asking(api, runtime, organizer, org, form)
    assert (await answer(api, early, asked)).status_code == 200
    only = [*QUESTIONS[:1], QUESTIONS[6] | {"label": "新的须知"}]
    await edit_form(api, organizer, form, {"title": "第二版", "questions": only})
    path = f"{API}/activities/{activity.id}/form"
    assert (await api.get(path)).json()["number"] == 1, "an edit does not reach the activity"

    second = await set_form(api, organizer, activity.id, form)

    assert (second["number"], second["title"]) == (2, "第二版")
    assert_refused(await answer(api, late, asked), 409, "activity_forms.version_replaced")
    refused = await answer(api, late, second)
    assert_refused(refused, 422, "request.invalid")
    fields = [one["field"] for one in refused.json()["errors"]]
    assert sorted(fields) == ["body.answers.phone", "body.answers.size"]
    assert (await answer(api, late, second, {"agreed": True})).status_code == 200
    answers_path = f"{API}/activities/{activity.id}/answers"
    listed = await walk(api, answers_path, organizer.headers, limit=1)
    assert [(one["number"], one["answers"]) for one in listed] == [(1, KEPT), (2, {"agreed": True})]
    assert (await api.get(path, headers=early.headers)).json()["mine"]["answers"] == KEPT


async def test_the_form_stays_once_somebody_has_answered(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    activity, _ = await make_asking(api, runtime, organizer, org)
    path = f"{API}/activities/{activity.id}/form"
    other = await make_form(api, organizer, org)
    asked = await set_form(api, organizer, activity.id, other)
    assert (await answer(api, person, asked)).status_code == 200
    third = {"form_id": (await make_form(api, organizer, org))["id"]}

    for reply in (
        await api.put(path, headers=organizer.headers, json=third),
        await api.delete(path, headers=organizer.headers),
    ):
        assert_refused(reply, 409, "activity_forms.answered")
    assert await set_form(api, organizer, activity.id, other) == asked


async def test_only_a_usable_form_is_given_to_an_open_activity(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, elsewhere = await make_org(runtime), await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    abroad = await make_organizer(runtime, elsewhere.id)
    activity = await make_activity(runtime, org=org, starts_at=now() + timedelta(days=1))
    path = f"{API}/activities/{activity.id}/form"
    draft = await make_form(api, organizer, org, publish=False)
    foreign = await make_form(api, abroad, elsewhere)
    for form_id in (draft["id"], foreign["id"], str(activity.id)):
        refused = await api.put(path, headers=organizer.headers, json={"form_id": form_id})
        assert_refused(refused, 422, "request.invalid")
        assert [one["field"] for one in refused.json()["errors"]] == ["body.form_id"]
    for method in ("GET", "DELETE"):
        none = await api.request(method, path, headers=organizer.headers)
        assert_refused(none, 404, "activity_forms.not_found")
    unasked = {"activity_id": str(activity.id), "form_version_id": str(activity.id)}
    assert_refused(await answer(api, person, unasked), 404, "activity_forms.not_found")

    form = await make_form(api, organizer, org)
    for status, code in (("draft", "activities.not_found"), ("cancelled", "activities.not_open")):
        made = await make_activity(runtime, org=org, starts_at=now() + timedelta(days=1))
        asked = await set_form(api, organizer, made.id, form)
        async with runtime.database.transaction() as tx:
            stored = await tx.get(type(made), made.id)
            assert stored is not None
            stored.status = ActivityStatus(status)
        refused = await answer(api, person, asked)
        assert_refused(refused, 404 if status == "draft" else 409, code)
        shown = await api.get(f"{API}/activities/{made.id}/form", headers=person.headers)
        assert shown.status_code == (404 if status == "draft" else 200)
    late = await api.delete(f"{API}/activities/{made.id}/form", headers=organizer.headers)
    assert_refused(late, 409, "activities.wrong_state")


async def test_files_have_a_column_a_question(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    person, other = await make_person(runtime, "王小四"), await make_person(runtime)
    activity, asked = await make_asking(api, runtime, organizer, org)
    given = ANSWERS | {"days": ["m"], "since": "2020-05-04", "age": 18}
    await answer(api, person, asked, given)
    await answer(api, other, asked)
    await sign_up(runtime, activity, person)
    path = f"/activities/{activity.id}/answers"

    for form in FORMS:
        first, second = await exported(api, path, form, organizer)
        assert list(first)[-8:] == [one["label"] for one in QUESTIONS]
        told = [
            first[name] for name in ("姓名", "状态", "尺码", "哪几天", "电话", "年龄", "已知悉")
        ]
        assert told == ["王小四", "已确认", "大号", "中号", "13812345678", "18", "是"]
        assert first["为什么参加"] == ("'=帮忙" if form == "csv" else "=帮忙")
        assert (second["状态"], second["年龄"], second["何时入团"]) == ("", "", "")
        masked, _ = await exported(api, path, form, auditor)
        hidden = [masked[name] for name in ("为什么参加", "电话", "何时入团", "尺码", "姓名")]
        assert hidden == ["*", "*", "*", "大号", "王*四"]
    await api.get(f"{API}{path}.csv", headers=person.headers, params={"purpose": "x"})
    refused = await api.get(f"{API}{path}.csv", headers=person.headers, params={"purpose": "x"})
    assert_refused(refused, 403, "auth.forbidden")


async def test_pictures_are_read_by_who_answered_and_who_organizes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    person, stranger = await make_people(runtime, 2)
    _, asked = await make_asking(api, runtime, organizer, org)
    draft = ("answer_draft", person.id)
    assert_refused(await upload(api, organizer, draft), 404, "attachments.subject_not_found")
    first, second, third = [(await attach(api, person, draft))["id"] for _ in range(3)]
    paper = (await attach(api, person, draft, PDF))["id"]
    theirs = (await attach(api, stranger, ("answer_draft", stranger.id)))["id"]

    async def status(reader: Any, picture: str) -> int:
        path = f"{API}/attachments/{picture}/file"
        return (await api.get(path, headers=reader.headers)).status_code

    assert [await status(one, first) for one in (person, organizer, stranger)] == [200, 404, 404]
    for wrong in ([theirs], [paper], [first, str(org.id)]):
        refused = await answer(api, person, asked, ANSWERS | {"photo": wrong})
        assert_refused(refused, 422, "request.invalid")
        assert [one["field"] for one in refused.json()["errors"]] == ["body.answers.photo"]
    for photos in ([first, second], [third, second]):
        saved = await answer(api, person, asked, ANSWERS | {"photo": photos})
        assert saved.json()["answers"]["photo"] == photos, saved.text

    readers = (person, organizer, auditor, stranger)
    assert [await status(one, third) for one in readers] == [200, 200, 404, 404]
    assert [await status(one, first) for one in readers] == [404] * 4, "not named any more"
    assert await status(organizer, paper) == 404
    listed = await walk(api, f"{API}/activities/{asked['activity_id']}/answers", auditor.headers)
    assert listed[0]["answers"]["photo"] == "*"
    gone = await api.delete(f"{API}/attachments/{third}", headers=keyed(person))
    assert_refused(gone, 403, "auth.forbidden")
    taken = await answer(api, stranger, asked, ANSWERS | {"photo": [third]})
    assert_refused(taken, 422, "request.invalid")


async def test_answers_are_copied_for_their_person_and_erased_with_them(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    activity, asked = await make_asking(api, runtime, organizer, org)
    picture = (await attach(api, person, ("answer_draft", person.id)))["id"]
    saved = await answer(api, person, asked, ANSWERS | {"photo": [picture]})
    copy = await ready(api, runtime, person)
    with zipfile.ZipFile(BytesIO((await api.get(copy["url"])).content)) as file:
        [told] = json.loads(file.read("data.json"))["answers"]
    assert (told["answers"], told["form"]) == (saved.json()["answers"], "报名表")
    assert [one["key"] for one in told["questions"]] == [one["key"] for one in QUESTIONS]

    async with runtime.database.transaction() as tx:
        await erasures.erase(tx, [person.id], now())

    async with runtime.database.read() as tx:
        assert await answer_queries.find(tx, UUID(saved.json()["id"])) is None
        assert await tx.get(Attachment, UUID(picture)) is None
    assert await walk(api, f"{API}/activities/{activity.id}/answers", organizer.headers) == []


async def test_who_has_not_answered_does_not_sign_up(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    _, asked = await make_asking(api, runtime, organizer, org)
    path = f"{API}/activities/{asked['activity_id']}/signups"

    before = await api.post(path, headers=person.headers, json={})
    assert (await answer(api, person, asked)).status_code == 200
    after = await api.post(path, headers=person.headers, json={})

    assert_refused(before, 409, "signups.answers_missing")
    assert after.status_code == 201
