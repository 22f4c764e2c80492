"""What the service's role may not do, and what no role can write."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from app.core.settings import Settings
from app.embedded.databases import connect
from app.main import create_app
from app.models.ledger import Kind
from app.runtime import Runtime
from app.services.health import LedgerUnprotected
from tests.conftest import ScratchFactory
from tests.engines import as_owner
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused
from tests.factories.ledger import give_points
from tests.factories.people import make_person

FORBIDDEN = (
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE people ADD COLUMN mine int",
    "ALTER TABLE ledger_transfers DISABLE TRIGGER ALL",
    "DROP TABLE notices",
    "DROP TABLE partitions.outbox_default",
    "CREATE TABLE partitions.mine (id int)",
    "DELETE FROM partitions.audit_entries_default",
    "SELECT partition_bound('outbox', '2026-12-01')",
    "DROP INDEX uq_ledger_transfers_reference",
    "TRUNCATE ledger_transfers",
    "TRUNCATE people CASCADE",
    "UPDATE ledger_transfers SET amount = amount + 1",
    "UPDATE ledger_transfers SET reason = ''",
    "UPDATE ledger_lots SET amount = amount + 1",
    "UPDATE ledger_lots SET expires_at = now()",
    "UPDATE ledger_lot_uses SET amount = amount",
    "UPDATE ledger_accounts SET floor = NULL",
    "UPDATE ledger_accounts SET owner_id = gen_random_uuid()",
    "DELETE FROM ledger_transfers",
    "DELETE FROM ledger_lots",
    "DELETE FROM ledger_lot_uses",
    "DELETE FROM ledger_accounts",
    "DELETE FROM ledger_holds",
    "UPDATE ledger_holds SET held_until = now()",
    "UPDATE audit_entries SET reason = ''",
    "UPDATE case_entries SET text = ''",
    "DELETE FROM case_entries",
    "UPDATE cases SET reason = ''",
    "UPDATE cases SET created_by = created_by",
    "ALTER TABLE cases DISABLE TRIGGER cases_entry",
    "UPDATE notices SET person_id = person_id",
    "UPDATE notices SET kind = kind",
    "DELETE FROM signup_reminders",
    "DELETE FROM audit_entries",
    "UPDATE attachments SET created_by = created_by",
    "INSERT INTO ledger_units VALUES (32000, 'coins', '币')",
    "UPDATE ledger_units SET name_zh = ''",
    "INSERT INTO activity_lists SELECT '~', status, starts_at, id FROM activities",
    "UPDATE activity_lists SET list = list || '~'",
    "DELETE FROM activity_lists",
    "UPDATE activity_texts SET text = ''",
    "DELETE FROM activity_words",
    "ALTER TABLE activities DISABLE TRIGGER enlist_activity",
    "DROP TRIGGER enlist_activity ON activities",
    "UPDATE alembic_version SET version_num = ''",
    "SET ROLE qx_owner",
    "SET SESSION AUTHORIZATION postgres",
)
ALLOWED = (
    "UPDATE ledger_accounts SET balance = balance",
    "UPDATE ledger_accounts SET last_number = last_number",
    "UPDATE ledger_lots SET remaining = remaining",
    "UPDATE notices SET read_at = now()",
    "UPDATE attachments SET state = state",
    "DELETE FROM attachments",
    "SELECT * FROM ledger_units",
    "SELECT * FROM alembic_version",
    "SELECT * FROM activity_lists",
    "DELETE FROM outbox",
)
ACCOUNT = "INSERT INTO ledger_accounts (unit_id, owner_id, purpose, floor)"
TRANSFER = """
INSERT INTO ledger_transfers (id, unit_id, from_account_id, to_account_id, amount, from_number,
    to_number, from_balance, to_balance, kind, reason, reference, source_type, source_id, org_id)
VALUES (gen_random_uuid(), 1, {payer}, {payee}, {amount}, 1, 1, 0, 0, '{kind}', '',
    gen_random_uuid()::text, 'test', gen_random_uuid(), gen_random_uuid())
"""
LOT = """
INSERT INTO ledger_lots VALUES (gen_random_uuid(), 1, gen_random_uuid(), {amount}, {remaining},
    now(), gen_random_uuid())
"""


def service(settings: Settings) -> Any:
    assert settings.database_url is not None
    return connect(settings.database_url)


@pytest.fixture
async def as_service(settings: Settings) -> AsyncIterator[Any]:
    """A connection as qx_app in a transaction that is rolled back."""
    connection = await service(settings)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_service_may_not(as_service: Any, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute(statement)


async def test_the_service_may_not_index_an_activity(
    as_service: Any, runtime: Runtime, settings: Settings
) -> None:
    await make_activity(runtime)
    statement = "SELECT index_activity(a) FROM activities a LIMIT 1"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute(statement)
    await as_owner(settings, statement)


@pytest.mark.parametrize("statement", ALLOWED)
async def test_the_service_may(as_service: Any, statement: str) -> None:
    await as_service.execute(statement)


@pytest.mark.parametrize(
    "statement", [s for s in FORBIDDEN if not s.startswith(("SET", "ALTER TABLE ledger"))]
)
async def test_it_is_the_right_that_is_missing_not_the_statement(
    settings: Settings, statement: str
) -> None:
    """The negative control: the schema's owner can do all of it."""
    assert settings.migration_database_url is not None
    connection = await connect(settings.migration_database_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    finally:
        await transaction.rollback()
        await connection.close()


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (TRANSFER.format(payer=1, payee=2, amount=0, kind="award"), "ck_ledger_transfers_amount"),
        (TRANSFER.format(payer=1, payee=2, amount=-5, kind="award"), "ck_ledger_transfers_amount"),
        (TRANSFER.format(payer=1, payee=1, amount=5, kind="award"), "ck_ledger_transfers_accounts"),
        (TRANSFER.format(payer=1, payee=2, amount=5, kind="gift"), "ck_ledger_transfers_kind"),
        (LOT.format(amount=5, remaining=6), "ck_ledger_lots_remaining"),
        (LOT.format(amount=5, remaining=-1), "ck_ledger_lots_remaining"),
        (LOT.format(amount=0, remaining=0), "ck_ledger_lots_remaining"),
        (
            "INSERT INTO ledger_lot_uses VALUES (gen_random_uuid(), gen_random_uuid(), 0)",
            "ck_ledger_lot_uses_amount",
        ),
        (f"{ACCOUNT} VALUES (1, gen_random_uuid(), 'piggy', 0)", "ck_ledger_accounts_purpose"),
    ],
)
async def test_nobody_can_write(as_service: Any, statement: str, constraint: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await as_service.execute(statement)
    assert refused.value.constraint_name == constraint


async def test_no_balance_falls_below_its_floor(as_service: Any) -> None:
    account = await as_service.fetchval(
        f"{ACCOUNT} VALUES (1, gen_random_uuid(), 'available', 0) RETURNING id"
    )
    await as_service.execute("UPDATE ledger_accounts SET balance = 1 WHERE id = $1", account)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await as_service.execute("UPDATE ledger_accounts SET balance = -1 WHERE id = $1", account)
    assert refused.value.constraint_name == "ck_ledger_accounts_floor"


async def test_a_fund_without_a_floor_may_owe(as_service: Any) -> None:
    account = await as_service.fetchval(
        f"{ACCOUNT} VALUES (1, gen_random_uuid(), 'fund', NULL) RETURNING id"
    )
    await as_service.execute("UPDATE ledger_accounts SET balance = -1 WHERE id = $1", account)


@pytest.mark.parametrize("kind", Kind)
async def test_every_kind_of_transfer_can_be_written(as_service: Any, kind: Kind) -> None:
    payer, payee = -1 - 2 * list(Kind).index(kind), -2 - 2 * list(Kind).index(kind)
    await as_service.execute(TRANSFER.format(payer=payer, payee=payee, amount=1, kind=kind))


@pytest.mark.parametrize("column", ["reference", "closes_id", "from_number", "to_number"])
async def test_what_is_unique_is_unique_for_everybody(
    runtime: Runtime, as_service: Any, column: str
) -> None:
    """Two transfers cannot share a reference, settle one transfer, or have one number."""
    person = await make_person(runtime)
    transfer = await give_points(runtime, person.id, 5)
    row = dict(await as_service.fetchrow("SELECT * FROM ledger_transfers WHERE id = $1", transfer))
    fresh = {"id": "gen_random_uuid()", "reference": "gen_random_uuid()::text"}
    fresh |= {"from_number": "900001", "to_number": "900001", "closes_id": "gen_random_uuid()"}
    if column == "closes_id":
        fresh["closes_id"] = f"'{transfer}'"
    else:
        del fresh[column]
    columns = ", ".join(map(str, row))
    values = ", ".join(fresh.get(str(name), str(name)) for name in row)
    statement = (
        f"INSERT INTO ledger_transfers ({columns}) SELECT {values}"  # noqa: S608 - our own words
        f" FROM ledger_transfers WHERE id = '{transfer}'"
    )
    if column == "closes_id":
        await as_service.execute(statement)
        statement = statement.replace("900001", "900002")
    with pytest.raises(asyncpg.UniqueViolationError):
        await as_service.execute(statement)


async def test_the_service_does_not_start_as_the_owner(settings: Settings) -> None:
    owner = settings.model_copy(update={"database_url": settings.migration_database_url})
    application = create_app(owner)
    with pytest.raises(LedgerUnprotected, match="qx_app"):
        async with application.router.lifespan_context(application):
            pass


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT UPDATE ON ledger_transfers TO qx_app",
        "GRANT DELETE ON ledger_transfers TO qx_app",
        "GRANT UPDATE ON audit_entries TO qx_app",
        "GRANT DELETE ON partitions.audit_entries_default TO qx_app",
        "GRANT CREATE ON SCHEMA public TO qx_app",
    ],
)
async def test_the_service_does_not_start_with_a_right_too_many(
    scratch: ScratchFactory, grant: str
) -> None:
    async with scratch() as application:
        settings: Settings = application.state.runtime.settings
        assert settings.migration_database_url is not None
        owner = await connect(settings.migration_database_url)
        await owner.execute(grant)
        await owner.close()
        again = create_app(settings)
        with pytest.raises(LedgerUnprotected):
            async with again.router.lifespan_context(again):
                pass


async def readiness(application: FastAPI) -> httpx.Response:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/readyz")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE alembic_version SET version_num = 'an older one'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ],
)
async def test_a_schema_that_is_behind_is_not_ready(scratch: ScratchFactory, damage: str) -> None:
    async with scratch() as application:
        assert (await readiness(application)).status_code == 200
        url = application.state.runtime.settings.migration_database_url
        owner = await connect(url)
        await owner.execute(damage)
        await owner.close()
        response = await readiness(application)
        assert_refused(response, 503, "service.not_ready")
        assert response.headers["retry-after"] == "5"
