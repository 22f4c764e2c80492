"""Accounts of a subtree and their transfers, for administrators and auditors."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import local_date, now
from app.models.orgs import Level, Org
from app.models.people import Role
from app.runtime import Runtime
from app.services.accounts import entries as entries_service
from tests.factories.awards import give_award
from tests.factories.exports import FORMS, exported, get_export
from tests.factories.funds import receive
from tests.factories.http import assert_refused, walk
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_person, make_with_role
from tests.factories.points import spend
from tests.routers.test_audit import entries
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

ACCOUNTS = "/api/v1/ledger/accounts"
MATRIX = """
operation             rule     nobody alice bob  counter rival sibling parent auditor admin outsider
listAccounts          auditor  401    403   403  403     403   403     403    200     200   403
getAccount            auditor  401    403   403  403     403   403     403    200     200   403
listAccountTransfers  auditor  401    403   403  403     403   403     403    200+    200+  403
"""
BEYOND_THE_SCHEMA = {"query.until"}  # before since


async def accounts_of(
    api: httpx.AsyncClient, reader: TestPerson, org: Org, **asked: object
) -> list[dict[str, Any]]:
    query = {"org_id": str(org.id)} | {name: str(one) for name, one in asked.items()}
    return await walk(api, ACCOUNTS, reader.headers, **query)


async def _subtree(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id)})


async def _fund(world: World) -> Ask:
    await give_award(world.runtime, world.alice, world.home, points=1)
    admin = world.everybody["admin"]
    assert admin is not None
    [fund, *_] = await accounts_of(
        world.api, admin, world.home, owner_id=world.home.id, account_purpose="fund"
    )
    return Ask({"account_id": fund["id"]}, query={"org_id": str(world.home.id)})


REQUESTS = {"listAccounts": _subtree, "getAccount": _fund, "listAccountTransfers": _fund}


async def known(setup: Setup) -> Known:
    auditor = await make_with_role(setup.runtime, Role.auditor, org=setup.org.id)
    found = await accounts_of(setup.api, auditor, setup.org)
    return {"account_id": [one["id"] for one in found], "owner_id": [str(setup.org.id)]}


async def test_a_subtree_has_its_accounts_and_no_others(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    home, other = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    auditor = await make_with_role(runtime, Role.auditor, org=home.id)
    person = await make_person(runtime)
    await receive(runtime, home, 40)
    await receive(runtime, other, 40)
    await give_award(runtime, person, home, points=8)
    foreign = await accounts_of(
        api, await make_with_role(runtime, Role.auditor, org=street.id), other
    )

    found = await accounts_of(api, auditor, home)

    assert {(one["owner_id"], one["purpose"], one["balance"]) for one in found} == {
        (str(home.id), "fund", 32),
        (str(home.id), "income", -40),
    }
    assert await accounts_of(api, auditor, home, owner_id=other.id) == []
    for path in (foreign[0]["id"], "0", "x", "9" * 30, "-1"):
        for part in ("", "/transfers"):
            reply = await api.get(
                f"{ACCOUNTS}/{path}{part}",
                headers=auditor.headers,
                params={"org_id": str(home.id)},
            )
            assert_refused(reply, 404, "accounts.not_found")
    files = [
        await exported(api, "/ledger/accounts", form, auditor, org_id=str(home.id))
        for form in FORMS
    ]
    assert [sorted(row["余额"] for row in rows) for rows in files] == [["-40", "32"]] * 2


async def test_a_persons_account_is_read_with_an_entry_and_without_what_is_elsewhere(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    home, elsewhere = await make_org(runtime), await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=home.id)
    person, stranger = await make_person(runtime), await make_person(runtime)
    await give_points(runtime, stranger.id, 5, org=elsewhere.id)
    # A role that was given makes nobody a person of the subtree.
    given = await make_with_role(runtime, Role.organizer, org=home.id)
    await give_points(runtime, given.id, 5, org=elsewhere.id)
    begun = now() - timedelta(days=6)
    await give_award(runtime, person, home, points=8, days_ago=6)
    await give_award(runtime, person, elsewhere, points=5, days_ago=3)
    await spend(api, runtime, person, 4)

    [account] = await accounts_of(api, auditor, home, owner_id=person.id)
    path = f"{ACCOUNTS}/{account['id']}/transfers"
    query = {"org_id": str(home.id)}
    found = await walk(api, path, auditor.headers, limit=2, **query)
    day = local_date(begun)
    first = await walk(
        api, path, auditor.headers, **query, since="2006-01-01", until=day.isoformat()
    )

    assert account["owner_name"] != person.name
    assert account["balance"] == 9
    assert [(one["number"], one["amount"], one["balance_after"]) for one in found] == [
        (3, 4, 9),
        (2, 5, 13),
        (1, 8, 8),
    ]
    assert [one["is_withheld"] for one in found] == [True, True, False]
    assert {found[1][name] for name in ("id", "reason", "source_id", "other_id")} == {None}
    assert found[2]["other_name"] == home.name
    assert found[2]["reason"] == "测试发放"
    assert [one["number"] for one in first] == [1]
    for one in (stranger, given):
        assert await accounts_of(api, auditor, home, owner_id=one.id) == []
    looks = [one for one in await entries(api, auditor, home) if one["verb"] == "viewed"]
    assert {one["subject"]["id"] for one in looks} == {str(person.id)}
    assert len(looks) == 4
    wrong = await api.get(
        path, headers=auditor.headers, params=query | {"since": "2026-02-01", "until": "2026-01-01"}
    )
    assert_refused(wrong, 422, "request.invalid")


async def test_a_file_of_an_account_names_the_account_in_the_audit_trail(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is too long is refused before its rows are read, and leaves no entry."""
    org, person = await make_org(runtime), await make_person(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    for _ in range(3):
        await give_award(runtime, person, org, points=1)
    [fund] = await accounts_of(api, auditor, org, account_purpose="fund")
    path = f"/ledger/accounts/{fund['id']}/transfers"

    files = [await exported(api, path, form, auditor, org_id=str(org.id)) for form in FORMS]

    monkeypatch.setattr(entries_service, "MAX_ROWS", 2)
    refused = await get_export(api, f"{path}.csv", auditor, org_id=str(org.id))

    assert_refused(refused, 422, "exports.too_many_rows")
    assert [[row["变动后余额"] for row in rows] for rows in files] == [["-3", "-2", "-1"]] * 2
    assert {row["对方"] for rows in files for row in rows} != {person.name}
    told = await entries(api, auditor, org, subject="export")
    assert [one["facts"]["list"] for one in told] == [path] * 2
