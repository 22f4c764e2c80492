"""Posters: printed codes of checkpoints, replaced when they are lost."""

import httpx
import pytest

from app.core.poster_codes import MAX_ISSUE, Poster, PosterKind
from app.runtime import Runtime
from app.services import posters
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer
from tests.factories.quests import draft, make_quest, move, poster_path, quest_body
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation         rule       nobody alice bob  counter rival sibling parent auditor admin outsider
getPoster         organizer  401    403   403  403     403   404     200    403     200   404       404=quests.not_found
getPosterSvg      organizer  401    403   403  403     403   404     200    403     200   404       404=quests.not_found
getPosterWxacode  organizer  401    403   403  403     403   404     200    403     200   404       404=quests.not_found
renewPoster       organizer  401    403   403  403     403   404     200    403     200   404       404=quests.not_found
"""  # noqa: E501 - a table


async def _poster(world: World) -> Ask:
    organizer = await make_organizer(world.runtime, world.home.id)
    made = await make_quest(world.api, organizer, world.home)
    return Ask({"quest_id": made["id"], "number": "1"})


async def _used_up(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    quest = await make_quest(api, organizer, org)
    async with runtime.database.transaction() as tx:
        await tx.fetch(
            "UPDATE quest_checkpoints SET issue = :most WHERE quest_id = CAST(:id AS uuid)",
            {"most": MAX_ISSUE, "id": quest["id"]},
        )
    path = poster_path(quest, 1).removeprefix("/api/v1")
    return Refused(organizer, "POST", f"{path}/renewal", {"limit": MAX_ISSUE})


REFUSED = {"posters.used_up": _used_up}
REQUESTS = dict.fromkeys(("getPoster", "getPosterSvg", "getPosterWxacode", "renewPoster"), _poster)


async def known(setup: Setup) -> Known:
    return {"number": ["1", "2", "3"]}


async def test_a_poster_is_shown_in_three_forms(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    quest = await make_quest(api, organizer, org)

    shown = await api.get(poster_path(quest, 2), headers=other.headers)

    poster = shown.json()
    found = runtime.posters.check(poster["code"], PosterKind.checkpoint)
    assert (poster["number"], poster["issue"], found.issue) == (2, 1, 1)
    assert poster["url"].endswith(f"/c/{poster['code']}")
    svg = await api.get(poster["svg_url"], headers=other.headers)
    assert svg.headers["content-type"] == "image/svg+xml"
    drawn = await api.get(poster["wxacode_url"], headers=other.headers)
    assert (drawn.headers["content-type"], drawn.content[1:4]) == ("image/png", b"PNG")
    for reply in (shown, svg, drawn):
        assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    missing = await api.get(poster_path(quest, 4), headers=other.headers)
    assert_refused(missing, 404, "posters.checkpoint_not_found")


async def test_a_lost_poster_is_replaced(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    quest = await make_quest(api, organizer, org)
    path = poster_path(quest, 1)
    before = (await api.get(path, headers=organizer.headers)).json()

    renewed = await api.post(f"{path}/renewal", headers=keyed(organizer))

    assert renewed.status_code == 200, renewed.text
    after = renewed.json()
    assert after == before | {
        "issue": 2,
        "code": after["code"],
        "url": after["url"],
    }
    first = runtime.posters.check(before["code"], PosterKind.checkpoint)
    assert runtime.posters.check(after["code"], PosterKind.checkpoint) == Poster(first.serial, 2)
    assert (await api.get(path, headers=organizer.headers)).json() == after
    admin = await make_administrator(runtime, org.id)
    [entry] = [one for one in await entries(api, admin, org) if one["verb"] == "renewed"]
    assert entry["facts"] == {"checkpoint": 1, "issue": 2}
    monkeypatch.setattr(posters, "MAX_ISSUE", 2)
    refused = await api.post(f"{path}/renewal", headers=keyed(organizer))
    assert_refused(refused, 409, "posters.used_up")
    assert refused.json()["facts"] == {"limit": 2}


async def test_only_a_published_quest_has_posters(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    made = await draft(api, organizer, quest_body(org))
    path = poster_path(made, 1)
    for verb, state in (("publish", "draft"), ("close", "published"), (None, "closed")):
        reply = await api.get(path, headers=organizer.headers)
        if state == "published":
            assert reply.status_code == 200
        else:
            assert_refused(reply, 409, "quests.wrong_state")
            assert reply.json()["facts"] == {"status": state}
        if verb is not None:
            assert (await move(api, organizer, made, verb)).status_code == 200
