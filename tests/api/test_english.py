"""A reader in English gets the English names of rules, tiers, categories and rewards, everywhere.

Every GET is called in a world where people have earned, lost, reserved and spent. Names of people,
organisations, activities and merchants have one language: they are not looked for.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.runtime import Runtime
from app.schemas.awards.reading import REASONS
from app.schemas.browsing import CATEGORY_NAMES
from app.services.policies import history, naming
from tests.factories.activities import current_code, make_attended
from tests.factories.awards import approve, give_award, propose
from tests.factories.deductions import deduct
from tests.factories.http import keyed
from tests.factories.rewards import make_reward, reserve
from tests.security.test_matrix import REQUESTS, ROWS, served
from tests.security.world import Ask, World, make_world

REWARD, REWARD_EN = "帆布袋一只", "A canvas bag"
ENGLISH = {"Accept-Language": "en"}
# Both languages stand side by side, or the source is asked for.
BOTH = {"name_zh", "document"}
KINDS = naming.POSTED.keys()
# Callers in the order in which they are tried: whoever is answered first is enough.
CALLERS = ("alice", "admin", "counter", "parent", "auditor", "bob", "nobody")


async def lived_in(api: httpx.AsyncClient, runtime: Runtime) -> World:
    """Return a world in which Alice has earned, lost, reserved, collected and been refused."""
    world = await make_world(api, runtime)
    alice, parent = world.alice, world.everybody["parent"]
    admin, counter = world.everybody["admin"], world.everybody["counter"]
    assert parent is not None
    assert admin is not None
    assert counter is not None
    activity = await make_attended(runtime, alice, org=world.home)
    code = {"code": current_code(runtime, activity)}
    scanned = await api.post("/api/v1/checkins", headers=keyed(alice), json=code)
    assert scanned.status_code == 201, scanned.text
    await give_award(runtime, alice, world.home, days_ago=3)
    [award] = await propose(api, parent, world.home, alice)
    assert (await approve(api, admin, award)).status_code == 200
    await propose(api, parent, world.home, alice, evidence={"document": "1", "public_notice": "2"})
    await deduct(api, parent, world.home, alice)
    reward = await make_reward(runtime, world.shop, name=REWARD, name_en=REWARD_EN)
    taken, _ = [await reserve(runtime, alice.id, reward) for _ in range(2)]
    body = {"pickup_code": taken.pickup_code}
    done = await api.post("/api/v1/merchant/redemptions/collect", headers=keyed(counter), json=body)
    assert done.status_code == 200, done.text
    return world


async def chinese_names(runtime: Runtime) -> set[str]:
    """Return the Chinese names that an English reply must not show."""
    async with runtime.database.read() as tx:
        published = await history.load(tx)
        document = (await history.in_force(tx)).document
    labels = {zh for name, zh in document.evidence.items() if name in document.evidence_en}
    notes = {rule.note for rule in document.rules.values() if rule.note and rule.note_en}
    benefits = {part for tier in document.tiers for part in tier.benefits.split("；")}
    words = {one.zh for one in (*CATEGORY_NAMES.values(), *REASONS.values())}
    return {
        *(document.programme.name, REWARD),
        *(
            published.english_names.keys()
            | labels
            | notes
            | benefits
            | words
            | naming.POSTED.keys()
        ),
    }


def texts(value: Any) -> Iterator[str]:
    """Yield the texts of a reply's JSON, without those under ``BOTH``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in BOTH:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def told(response: httpx.Response) -> Iterator[str]:
    """Yield the parts of all texts of a reply: JSON, CSV or HTML."""
    kind = response.headers.get("content-type", "")
    found: list[str] = []
    if kind.startswith("application/json"):
        found = [*texts(response.json())]
    elif kind.startswith("text/csv"):
        rows = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"), newline=""))
        found = [*texts([row | {"name_zh": row.pop("Chinese name", "")} for row in rows])]
    elif kind.startswith("text/html"):
        # A statement has Chinese words of its own for the kinds of entries.
        found = [one for one in re.findall(r">([^<]+)<", response.text) if one not in KINDS]
    for one in found:
        yield from re.split("：|: | / ", one.strip())


@pytest.mark.long
async def test_no_reply_in_english_shows_a_chinese_name(
    app: FastAPI, api: httpx.AsyncClient, runtime: Runtime
) -> None:
    world = await lived_in(api, runtime)
    forbidden = await chinese_names(runtime)
    shown, english, silent = {}, set[str](), []
    for name, row in ROWS.items():
        method, path = served(app)[row.operation]
        if method != "GET":
            continue
        ask = await REQUESTS[name](world) if name in REQUESTS else Ask()
        response = await first_answer(world, path, ask)
        if response is None:
            silent.append(name)
            continue
        parts = set(told(response))
        english |= parts
        if found := forbidden & parts:
            shown[name] = sorted(found)
    assert shown == {}
    # The walk has really come by them.
    async with runtime.database.read() as tx:
        names = (await history.load(tx)).english_names
    assert {REWARD_EN, names["志愿服务时长"], names["青芽卡"], "Deduction", "Reserved"} <= english
    assert len(silent) <= 6, silent


async def first_answer(world: World, path: str, ask: Ask) -> httpx.Response | None:
    for who in CALLERS:
        caller = world.everybody[who]
        headers = ENGLISH | (caller.headers if caller else {}) | ask.headers
        response = await world.api.get(path.format(**ask.ids), headers=headers, params=ask.query)
        if response.status_code == 200:
            return response
    return None


@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_a_passbook_is_in_the_language_of_its_reader(
    api: httpx.AsyncClient, runtime: Runtime, language: str
) -> None:
    world = await lived_in(api, runtime)
    headers = world.alice.headers | {"Accept-Language": language}
    path = "/api/v1/me/points/entries"
    whole = await api.get(path, headers=headers)
    found = {one["reason"] for one in whole.json()["items"]}
    expected = f"兑换预留：{REWARD}" if language == "zh-CN" else f"Reserved: {REWARD_EN}"
    assert expected in found
    known = headers | {"If-None-Match": whole.headers["etag"]}
    assert (await api.get(path, headers=known)).status_code == 304
    held = await api.get(path, headers=headers, params={"kind": "hold"})
    assert {one["reason"] for one in held.json()["items"]} == {expected}
    other = known | {"Accept-Language": "en" if language == "zh-CN" else "zh-CN"}
    assert (await api.get(path, headers=other)).status_code == 200
