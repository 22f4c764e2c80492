"""A closed account leaves nothing of its person: no table, index, export, object or log has it.

The ledger and its seals verify afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import httpx
import openpyxl
import pytest
from fastapi import FastAPI
from sqlalchemy import LargeBinary, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel
from structlog.testing import capture_logs

from app.core.clock import local_date, midnight, now
from app.core.ids import new_id
from app.integrations.storage import ObjectMissing
from app.jobs import closures as job
from app.jobs import data_copies, expiry, seals
from app.jobs.outbox import relay
from app.models.orgs import Org
from app.models.people import Person
from app.queries import erasures as queries
from app.runtime import Runtime
from app.services.ledger.verification import ROWS
from tests.engines import as_owner
from tests.factories.activities import make_activity, make_attended, sign_up
from tests.factories.attachments import attach
from tests.factories.awards import TWO_REVIEWERS, approve, propose
from tests.factories.clock import travel
from tests.factories.courtesies import category_body
from tests.factories.deductions import deduct
from tests.factories.erasures import exports_with, keys_with, objects_with, tables_with
from tests.factories.http import bearer, in_process, keyed, log_in, walk
from tests.factories.inbox import inbox
from tests.factories.leaderboards import fed
from tests.factories.ledger import assert_ledger_verifies, give_points, verified
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.factories.points import spend
from tests.factories.presences import come
from tests.factories.rewards import Counter, make_counter, make_reward, reserve

API = "/api/v1"
NAME = "卡娜丽"
TEXTS = ("学员日志甲", "评语乙", "活动丙", "申诉理由丁", "答复戊", "驳回己")
APPLIED = ("小店庚", "13900006666", "简介辛", "营业壬")
# Reasons of staff: card, sign-up, application with its visit, check-in, collection, category.
DECIDED = ("挂失子", "移除丑", "不予寅", "走访卯", "代签辰", "拿错巳", "名册午", "离队未")
# Exports in which an administrator finds the person by name.
NAMED_IN = {
    f"{path}.{form}"
    for path in (
        "/audit",
        "/activities/{activity_id}/checkins",
        "/activities/{activity_id}/signups",
    )
    for form in ("csv", "xlsx")
}
# Tables without a reference to a person that hold texts of people all the same would stand here.
REFERS = {"people.id"}


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@dataclass(frozen=True)
class Lived:
    """Somebody with traces everywhere. ``ids``: of what exports of the organisation name."""

    person: TestPerson
    traces: list[str]
    attachment: UUID
    org: Org
    ids: Mapping[str, UUID]


async def _lived(api: httpx.AsyncClient, runtime: Runtime, next_one: TestPerson) -> Lived:
    """Let somebody leave traces everywhere. ``next_one`` waits for the person's place."""
    login = await log_in(api, NAME)
    person = TestPerson(UUID(login["person"]["id"]), NAME, bearer(login["access_token"]))
    renamed = await api.put(f"{API}/me", headers=person.headers, json={"display_name": NAME})
    assert renamed.status_code == 200
    org = await make_org(runtime)
    shop = await make_counter(runtime, org=org)
    await _judged(api, runtime, person, org)
    times: dict[str, Any] = {"starts_at": now() + timedelta(days=40), "signup_opens_at": now()}
    ahead = await make_activity(runtime, org=org, capacity=1, **times)
    assert await sign_up(runtime, ahead, person, next_one) == ["confirmed", "waitlisted"]
    await give_points(runtime, person.id, 9, org=org.id)
    waiting = (await propose(api, await make_organizer(runtime, org.id), org, person))[0]
    made = await attach(api, person, ("award", waiting["id"]))
    await spend(api, runtime, person, 1, shop)
    came_to = await _decided(api, runtime, person, org, shop)
    body = dict(zip(("name", "phone", "description", "hours"), APPLIED, strict=True))
    body["org_id"] = str(org.id)
    applied = await api.post(f"{API}/merchants", headers=keyed(person), json=body)
    assert applied.is_success, applied.text
    code = (await api.get(f"{API}/me/card/code", headers=person.headers)).json()["code"]
    await _copied(api, person)
    async with runtime.database.read() as tx:
        found = await tx.get(Person, person.id)
    assert found is not None
    sealed = (found.openid_index.hex(), found.openid_sealed.hex())
    traces = [NAME, *TEXTS, *APPLIED, *DECIDED, *sealed, code]
    ids = {"activity_id": came_to, "merchant_id": shop.merchant.id}
    return Lived(person, traces, UUID(made["id"]), org, ids)


async def _copied(api: httpx.AsyncClient, *people: TestPerson) -> None:
    """Let people ask for copies of their data, which the outbox makes."""
    for one in people:
        asked = await api.post(f"{API}/me/exports", headers=keyed(one))
        assert asked.status_code == 201, asked.text


async def _judged(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, org: Org) -> None:
    """Awards with evidence, one rejected; a deduction, and an appeal against it that is decided."""
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    proposal: dict[str, Any] = TWO_REVIEWERS | {
        "evidence": {"log": TEXTS[0], "mentor_grade": TEXTS[1]}
    }
    organizer = await make_organizer(runtime, org.id)
    for reason in (None, TEXTS[5]):
        [award] = await propose(api, organizer, org, person, **proposal)
        assert (await approve(api, first, award)).is_success
        if reason:
            path = f"{API}/awards/{award['id']}/rejection"
            reply = await api.post(path, headers=keyed(second), json={"reason": reason})
            assert reply.is_success, reply.text
    deduction = await deduct(api, first, org, person, evidence={"activity": TEXTS[2]})
    path = f"{API}/deductions/{deduction['id']}"
    appeal = await api.post(f"{path}/appeal", headers=keyed(person), json={"reason": TEXTS[3]})
    assert appeal.is_success, appeal.text
    decision = {"granted": False, "reason": TEXTS[4]}
    reply = await api.post(f"{path}/decision", headers=keyed(second), json=decision)
    assert reply.is_success, reply.text


async def _decided(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, org: Org, shop: Counter
) -> UUID:
    """Let staff decide about card, sign-up, application, check-in and a collection.

    Returns the activity to which the person came. The administrator's own copy has the reasons.
    """
    admin = await make_administrator(runtime, org.id)

    async def done(by: TestPerson, path: str, **body: Any) -> Any:
        reply = await api.post(f"{API}/{path}", headers=keyed(by), json=body)
        assert reply.is_success, (path, reply.text)
        return reply.json()

    activity = await make_activity(runtime, org=org)
    await sign_up(runtime, activity, person)
    for verb in ("suspension", "restoration"):
        await done(admin, f"people/{person.id}/card/{verb}", reason=DECIDED[0])
    async with runtime.database.read() as tx:
        wanted = {"activity": activity.id, "person": person.id}
        [mine] = await tx.fetch(
            "SELECT id FROM signups WHERE activity_id = :activity AND person_id = :person", wanted
        )
    await done(admin, f"signups/{mine.id}/removal", reason=DECIDED[1])
    made = await done(person, "merchants", org_id=str(org.id), name="小店", phone="13900007777")
    path = f"merchants/{made['id']}"
    await done(admin, f"{path}/visits", visited_on=str(local_date(now())), note=DECIDED[3])
    await done(admin, f"{path}/decision", approved=False, reason=DECIDED[2])
    attended = await make_attended(runtime, person, org=org)
    came = await come(runtime, attended, person)
    await done(admin, f"checkins/{came.result.checkin.id}/annulment", reason=DECIDED[4])
    await give_points(runtime, person.id, 10, org=org.id)
    held = await reserve(runtime, person.id, await make_reward(runtime, shop))
    await done(shop.staff, "merchant/redemptions/collect", pickup_code=held.pickup_code)
    await done(shop.staff, f"merchant/redemptions/{held.id}/undo", reason=DECIDED[5])
    await done(admin, "person-categories", **category_body(org, person) | {"reason": DECIDED[6]})
    [own] = await walk(api, f"{API}/me/person-categories", person.headers)
    await done(admin, f"person-categories/{own['id']}/end", reason=DECIDED[7])
    await _copied(api, admin)
    return attended.id


async def _seal(runtime: Runtime) -> None:
    with travel(midnight(local_date(now()) + timedelta(days=1)) + timedelta(hours=1)):
        assert await seals.seal(runtime) >= 1


async def _erase(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson) -> None:
    asked = await api.delete(f"{API}/me", headers=keyed(person))
    assert asked.status_code == 200
    await relay(runtime)
    # The days pass: replies that are stored for staff are forgotten after seven.
    await as_owner(
        runtime.settings,
        "UPDATE idempotency_keys SET created_at = created_at - interval '16 days'",
    )
    with travel(now() + timedelta(days=16)):
        await expiry.forget(runtime)
        await data_copies.forget(runtime)
        assert await job.erase(runtime) == 1
    with travel(now() + timedelta(days=16, hours=2)):
        assert await job.erase(runtime) == 1, "what was under way is erased too"
        assert await job.erase(runtime) == 0


async def test_nothing_is_left_of_a_person_and_the_ledger_verifies(
    alone: FastAPI, runtime: Runtime
) -> None:
    async with in_process(alone) as api:
        next_one = await make_person(runtime)
        lived = await _lived(api, runtime, next_one)
        person, traces = lived.person, lived.traces
        await relay(runtime)
        await fed(runtime)
        await _seal(runtime)
        assert await keys_with(runtime, [str(person.id)]) != {}
        before = await tables_with(runtime, traces)
        assert set().union(*before.values()) == {*traces}, "each is found while it is there"
        assert len(before) > 8
        assert {NAME, DECIDED[0]} <= before["data_copies"], "zips are looked into"
        files = await exports_with(alone, api, lived.org, lived.ids, traces)
        assert {file for file, held in files.items() if NAME in held} >= NAMED_IN
        assert {TEXTS[0], DECIDED[0]} <= set().union(*files.values())

        with capture_logs() as logs:
            await _erase(api, runtime, person)
            await relay(runtime)

        # What staff wrote into a transfer stays: the ledger is never rewritten.
        left = {"ledger_transfers": {TEXTS[5], DECIDED[4]}}
        assert await tables_with(runtime, traces) == left
        assert await keys_with(runtime, traces) == {}
        generation = await runtime.boards.generation()
        files = await exports_with(alone, api, lived.org, lived.ids, traces)
        assert {file: held for file, held in files.items() if held} == {}
        assert await objects_with(runtime, traces) == {}
        shown = await keys_with(runtime, [str(person.id)])
        assert [key for key in shown if f"boards}}:{generation}:" in key] == []
        assert not [one for one in logs if any(trace in str(one) for trace in traces)]
        with pytest.raises(ObjectMissing):
            await runtime.store.get(str(lived.attachment))
        assert (await inbox(api, runtime, next_one))[0]["kind"] == "promoted"
        await assert_ledger_verifies(runtime)


async def test_a_text_is_found_in_a_workbook_in_a_zip_in_the_store(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    canary, book, packed = f"{NAME}{new_id()}", BytesIO(), BytesIO()
    workbook = openpyxl.Workbook()
    workbook.worksheets[0].append([canary])
    workbook.save(book)
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr("list.xlsx", book.getvalue())
    assert canary.encode() not in packed.getvalue()
    key = str(new_id())
    await runtime.store.put(key, packed.getvalue(), "application/zip")
    try:
        assert await objects_with(runtime, [canary]) == {key: {canary}}
    finally:
        await runtime.store.remove(key)


async def test_a_redacted_row_that_is_changed_once_more_is_told(
    alone: FastAPI, runtime: Runtime
) -> None:
    async with in_process(alone) as api:
        person = (await _lived(api, runtime, await make_person(runtime))).person
        await _seal(runtime)
        await _erase(api, runtime, person)
        await as_owner(
            runtime.settings,
            f"UPDATE deductions SET title = '' WHERE person_id = '{person.id}'",  # noqa: S608
        )
        told = {one.check for one in (await verified(runtime)).differences}
        assert ROWS.format("deduction") in told


def _texts() -> dict[str, set[str]]:
    """Return the text, JSON and bytea columns of tables that refer to a person."""
    found = {}
    for table in SQLModel.metadata.tables.values():
        if any(key.target_fullname in REFERS for key in table.foreign_keys) or (
            table.name == "people"
        ):
            kinds = (String, TypeDecorator, JSONB, LargeBinary)
            columns = {one.name for one in table.columns if isinstance(one.type, kinds)}
            found[table.name] = columns - queries.CODES
    return {table: columns for table, columns in found.items() if columns}


def test_each_text_of_a_person_is_erased_or_there_is_a_reason_why_not() -> None:
    told = {table: {*columns} for table, columns in queries.KEPT.items()}
    for table, columns in queries.ERASED.items():
        told.setdefault(table, set()).update(columns)
        assert not {*columns} & {*queries.KEPT.get(table, {})}, "erased and kept"
    assert told == _texts()
