"""Copies of one's data: whole, opened by a link for 5 minutes, and forgotten after a day."""

import json
import re
import zipfile
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import openpyxl
from sqlmodel import SQLModel

from app.core.clock import now
from app.jobs import data_copies as job
from app.jobs.outbox import relay
from app.queries import data_copies as queries
from app.runtime import Runtime
from app.schemas.data_copies import PARTS
from app.services.data_copies import KEPT, LINK_LASTS
from tests.factories.activities import make_attended
from tests.factories.attachments import attach
from tests.factories.clock import travel
from tests.factories.deductions import deduct
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.points import spend
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

COPIES = "/api/v1/me/exports"
MATRIX = """
operation         rule    nobody alice bob  counter rival sibling parent auditor admin outsider
copyMyData        person  401    201+  201  201     201   201     201    201     201   201
listMyDataCopies  person  401    200+  200  200     200   200     200    200     200   200
getDataCopyFile   anyone  404    404   404  404     404   404     404    404     404   404       404=data_copies.not_found
"""  # noqa: E501 - a table
HERS = {"data_copies": "person_id = :alice"}
BESIDE_POINTS = {"data_copies"}
# A link is signed, and there is one copy at a time.
BEYOND_THE_SCHEMA = {"data_copies.not_found", "data_copies.exists"}


# By table: why a copy is without it.
NOT_COPIED = {
    "activities": "an organisation's",
    "activity_forms": "an organisation's",
    "activity_messages": "an organisation's",
    "activity_organizers": "in the acts",
    "activity_templates": "an organisation's",
    "agreements": "an organisation's",
    "appointments": "in the acts",
    "card_codes": "lives for a minute",
    "co_organizers": "in the acts",
    "courtesies": "an organisation's",
    "courtesy_grants": "an organisation's",
    "data_copies": "the copy itself",
    "devices": "an organisation's",
    "exchange_agreements": "an organisation's",
    "exchanges": "both transfers are among the entries",
    "expiry_notices": "of a notice that is copied",
    "form_versions": "an organisation's",
    "forms": "an organisation's",
    "fund_receipts": "an organisation's",
    "hidden_honours": "a choice that the profile shows",
    "idempotency_keys": "replies that the person has",
    "ledger_redactions": "of who is erased",
    "linked_place_visits": "the award says it",
    "linked_places": "an organisation's",
    "merchant_visits": "an organisation's",
    "quest_completions": "the award says it",
    "quest_organizers": "in the acts",
    "quests": "an organisation's",
    "quotas": "counts of acts that are copied",
    "redemption_day_absences": "the orders of a day, which are copied, say it",
    "redemption_day_movements": "an organisation's",
    "redemption_day_stewards": "in the acts",
    "redemption_days": "an organisation's",
    "redemption_substitutions": "the orders, which are copied, say it",
    "no_shows": "their deductions are copied",
    "reward_lists": "an organisation's",
    "shift_holds": "times of sign-ups that are copied",
    "pickups": "counted with the child; who is named there is told",
    "policy_simulations": "an organisation's",
    "settlement_disputes": "an organisation's",
    "settlements": "an organisation's",
    "shops": "a merchant's",
    "simulated_people": "what if: deleted after seven days",
    "stock_movements": "a merchant's",
    "swaps": "in the acts",
    "verifications": "in the acts",
    "webhooks": "a merchant's",
    "voucher_codes": "an organisation's; who has one finds it with the redemption",
}


async def _asked(world: World) -> Ask:
    reply = await world.api.post(COPIES, headers=keyed(world.alice))
    assert reply.status_code in {201, 409}
    [copy] = (await world.api.get(COPIES, headers=world.alice.headers)).json()["items"]
    return Ask({"data_copy_id": copy["id"]})


REQUESTS = {"listMyDataCopies": _asked, "getDataCopyFile": _asked}


async def known(setup: Setup) -> Known:
    made = await setup.post(setup.others[0], "/me/exports")
    return {"data_copy_id": [made["id"]]}


async def _twice(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person = await make_person(runtime)
    made = (await api.post(COPIES, headers=keyed(person))).json()
    return Refused(person, "POST", "/me/exports", {"opens_at": made["expires_at"]})


REFUSED = {"data_copies.exists": _twice}


async def ready(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson) -> dict[str, Any]:
    """Ask for a copy and let the job make it; return it."""
    asked = await api.post(COPIES, headers=keyed(person))
    assert (asked.status_code, asked.json()["url"]) == (201, None), asked.text
    await relay(runtime)
    [copy] = (await api.get(COPIES, headers=person.headers)).json()["items"]
    found: dict[str, Any] = copy
    return found


async def test_a_copy_has_all_that_is_kept_of_a_person(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    person, counter = await make_person(runtime, "=李雷"), await make_counter(runtime, org=org)
    await give_points(runtime, person.id, 9, org=org.id)
    await make_attended(runtime, person)
    await deduct(api, await make_organizer(runtime, org.id), org, person)
    await spend(api, runtime, person, 1, counter)
    picture = await attach(api, person, ("person", person.id))
    copy = await ready(api, runtime, person)
    assert (await inbox(api, runtime, person))[0]["kind"] == "data_copy_ready"

    reply = await api.get(copy["url"])

    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/zip")
    assert reply.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(BytesIO(reply.content)) as file:
        told = json.loads(file.read("data.json"))
        assert file.read(f"files/{picture['id']}.jpg").startswith(b"\xff\xd8")
        book = openpyxl.load_workbook(BytesIO(file.read("data.xlsx")))
    assert told.keys() == {"made_at"} | queries.PARTS.keys()
    assert queries.PARTS.keys() == PARTS.keys()
    assert told["profile"][0]["display_name"] == "=李雷"
    assert told["profile"][0]["openid"].startswith("openid-of-test")
    assert [one["amount"] for one in told["entries"] if one["purpose"] == "available"] == [
        9,
        -2,
        -1,
    ]
    assert len(told["signups"]) == len(told["deductions"]) == len(told["charges"]) == 1
    assert "staff_id" not in told["charges"][0]
    assert book.sheetnames == [one.zh for one in PARTS.values()]
    names = [cell.value for row in book["个人资料"].rows for cell in row]
    assert "=李雷" in names


async def test_a_link_opens_one_copy_for_five_minutes_and_nothing_else(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    people = [await make_person(runtime) for _ in "ab"]
    copies = [await ready(api, runtime, one) for one in people]
    url, other = copies[0]["url"], copies[1]["url"]
    signature = other.partition("signature=")[2]
    forged = [
        url.partition("?")[0],
        url.partition("signature=")[0] + "signature=" + signature,
        url.partition("?")[0] + "?" + other.partition("?")[2],
        url.replace("expires=", "expires=9"),
    ]
    for one in forged:
        reply = await api.get(one, headers=people[1].headers)
        assert_refused(reply, 404, "data_copies.not_found")
    attachment = runtime.links.sign(copies[0]["id"], 2**39)  # a link to an attachment of that id
    path = f"{url.partition('?')[0]}?expires={2**39}&signature={attachment}"
    assert_refused(await api.get(path), 404, "data_copies.not_found")
    assert (await api.get(url)).status_code == 200
    with travel(now() + LINK_LASTS + timedelta(seconds=1)):
        assert_refused(await api.get(url), 404, "data_copies.not_found")


def test_every_table_of_people_is_copied_or_there_is_a_reason_why_not() -> None:
    named = {"person_id", "created_by"}
    tables = {
        table.name for table in SQLModel.metadata.tables.values() if named & {*table.columns.keys()}
    }
    statements = " ".join(queries.PARTS.values())
    copied = {table for table in tables if re.search(rf"FROM {table} t\b", statements)}
    assert tables - copied == NOT_COPIED.keys()


async def test_a_copy_is_forgotten_after_a_day(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    copy = await ready(api, runtime, person)
    with travel(now() + KEPT + timedelta(seconds=1)):
        assert await job.forget(runtime) >= 1
    async with runtime.database.read() as tx:
        assert await queries.find(tx, UUID(copy["id"])) is None
    assert (await api.post(COPIES, headers=keyed(person))).status_code == 201
