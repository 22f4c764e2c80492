"""The rules in force are for everybody to read, their versions for organizers and auditors."""

import httpx
import pytest

from app.models.orgs import Level
from app.runtime import Runtime
from app.services.policies import history, publishing
from app.services.policies.history import PolicyHistory
from tests.factories.http import assert_refused, walk
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer
from tests.security.world import Ask, World

POLICIES = "/api/v1/policies"
MATRIX = """
operation           rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getCurrentPolicy    anyone  200    200   200  200     200   200     200    200     200   200
listPolicyVersions  reader  401    403   403  403     403   403     200    200     200   403
"""
TIGHTER = """
[caps]
day = 20
[rules.lecture_give]
points = 6
evidence = ["photos"]
[rules.blood_donation]
off = true
"""


async def _of_home(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id)})


REQUESTS = {"getCurrentPolicy": _of_home, "listPolicyVersions": _of_home}


async def test_the_rules_in_force_can_be_read(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    admin, organizer = (
        await make_administrator(runtime, street.id),
        await make_organizer(runtime, org.id),
    )
    async with runtime.database.transaction() as tx:
        version = await publishing.publish(tx, TIGHTER, org=street, by=admin.id)

    top = (await api.get(f"{POLICIES}/current")).json()
    here = (await api.get(f"{POLICIES}/current", params={"org_id": str(org.id)})).json()

    assert (top["caps"]["day"], here["caps"]["day"]) == (24, 20)
    assert here["versions"] == [*top["versions"], version]
    rules = {one["key"]: one for one in here["rules"]}
    assert (len(top["rules"]), len(rules)) == (25, 24)
    lecture = rules["lecture_give"]
    assert (lecture["name"], lecture["name_en"], lecture["points"]) == (
        "宣讲授课",
        "Lecture given",
        6,
    )
    assert lecture["evidence"][-1] == {
        "name": "photos",
        "label": "照片",
        "label_en": "photos",
        "at_least": None,
    }
    least = {one["name"]: one["at_least"] for one in rules["activity_host"]["evidence"]}
    assert least == {"checkin": 8, "photos": None}
    assert lecture["release"]["manual"]["reviewers"] == 1
    # What asks for evidence beside attendance keeps its reviewers by every proof.
    assert rules["taskforce_emergency"]["release"]["rotating_code"]["reviewers"] == 2
    assert rules["volunteer_hour"]["release"]["rotating_code"]["reviewers"] == 0
    sprout = here["tiers"][0]
    assert (sprout["key"], sprout["name_en"]) == ("sprout", "Sprout card")
    breach = {one["key"]: one for one in here["deductions"]}["no_show"]
    assert (breach["name_en"], breach["evidence"][0]["name"]) == (
        "Absence without notice",
        "activity",
    )

    found = await walk(api, POLICIES, organizer.headers, org_id=str(org.id), limit=1)
    newest = found[0]
    assert (newest["version"], newest["org_id"]) == (version, str(street.id))
    assert (newest["published_by"], newest["publisher"]) == (str(admin.id), admin.name)
    assert [one["version"] for one in found if one["in_force"]] == here["versions"][::-1]
    assert "source" not in newest
    other = await make_org(runtime)
    beside = await make_organizer(runtime, other.id)
    seen = await walk(api, POLICIES, beside.headers, org_id=str(other.id))
    assert version not in [one["version"] for one in seen]

    async def nothing(_: object) -> PolicyHistory:
        return PolicyHistory([], {})

    monkeypatch.setattr(history, "load", nothing)
    assert_refused(await api.get(f"{POLICIES}/current"), 404, "policies.none")


async def test_evidence_and_notes_have_words_in_both_languages(api: httpx.AsyncClient) -> None:
    top = (await api.get(f"{POLICIES}/current")).json()
    unlabelled = [
        one["name"]
        for shown in (*top["rules"], *top["deductions"])
        for one in shown["evidence"]
        if one["label"] == one["name"] or one["label_en"] is None
    ]
    assert unlabelled == []
    english = await api.get(f"{POLICIES}/current", headers={"Accept-Language": "en"})
    notes = [one["note"] for one in english.json()["rules"] if one["note"]]
    assert "Once in a lifetime" in notes
    assert all(note.isascii() for note in notes)
