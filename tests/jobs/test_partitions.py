"""Months of the audit trail and the outbox: made ahead, dropped whole, and nothing younger."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.core.db import Session
from app.core.errors import ClockWrong, LockTimeout
from app.embedded.databases import connect
from app.embedded.layout import Engines
from app.jobs import partitions, seals, worker
from app.runtime import Runtime
from app.services import partitions as months
from bench.forget import make_month
from tests.conftest import ScratchFactory
from tests.engines import as_owner, up_to_date_template
from tests.factories.clock import noon, travel
from tests.factories.ledger import assert_ledger_verifies, give_points, verified
from tests.factories.orgs import make_org
from tests.factories.people import make_person

PARENTS = (months.AUDIT, months.OUTBOX)
AUDIT_KEPT = 36
_NAMES = text("""
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = CAST(:parent AS regclass) ORDER BY relname
""")
# The names of this month's partition, of the three after it, and of the default one.
_EXPECTED = text("""
SELECT :parent || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => n), '_YYYYMM')
FROM generate_series(0, 3) AS n UNION ALL SELECT :parent || '_default' ORDER BY 1
""")
# A row of the month ``n`` months from now.
_WRITE = {
    months.AUDIT: text("""
        INSERT INTO audit_entries (id, verb, subject_type, subject_id, fields)
        VALUES (uuidv7(make_interval(months => :n)), 'changed', 'test', uuidv7(), '[]')
        RETURNING CAST(tableoid AS regclass)::text
        """),
    months.OUTBOX: text("""
        INSERT INTO outbox (topic, payload, created_at, handled_at)
        VALUES ('test', '{}', now() + make_interval(months => :n), now())
        RETURNING CAST(tableoid AS regclass)::text
        """),
}


@pytest.fixture
async def runtime(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Runtime]:
    """A new database of this month: the tests may have begun in the month before."""
    found, _ = engines_and_template
    new = found, await up_to_date_template(found)
    async with ScratchFactory(new, worker_number)() as application:
        yield application.state.runtime


async def owner_of(runtime: Runtime) -> Any:
    assert runtime.settings.migration_database_url is not None
    return await connect(runtime.settings.migration_database_url)


async def add(runtime: Runtime, parent: str, *ago: int) -> list[str]:
    """Make the partitions of months so many months ago, each with a row; return their names."""
    owner = await owner_of(runtime)
    names = [await make_month(owner, parent, one) for one in ago]
    await owner.close()
    for one, name in zip(ago, names, strict=True):
        assert await write(runtime, parent, -one) == f"partitions.{name}"
    return names


async def write(runtime: Runtime, parent: str, n: int) -> str:
    """Write a row of a month; return its partition."""
    async with runtime.database.transaction() as tx:
        return await write_in(tx, parent, n)


async def write_in(tx: Session, parent: str, n: int) -> str:
    found: str = (await tx.execute(_WRITE[parent], {"n": n})).scalar_one()
    return found


async def names(runtime: Runtime, parent: str) -> list[str]:
    async with runtime.database.read() as tx:
        return list((await tx.execute(_NAMES, {"parent": parent})).scalars())


async def rows(runtime: Runtime, parent: str) -> dict[str, int]:
    """Return the number of rows of each partition that has any."""
    part = "CAST(CAST(tableoid AS regclass) AS text)"
    query = text(f"SELECT {part} AS part, count(*) AS number FROM {parent} GROUP BY 1")  # noqa: S608
    async with runtime.database.read() as tx:
        return {row.part: row.number for row in await tx.execute(query)}


@pytest.mark.parametrize("parent", PARENTS)
async def test_months_are_made_ahead_and_no_insert_fails_without_one(
    runtime: Runtime, parent: str
) -> None:
    async with runtime.database.read() as tx:
        expected = list((await tx.execute(_EXPECTED, {"parent": parent})).scalars())
    assert await names(runtime, parent) == expected, "a new database has them"
    assert await partitions.make_ahead(runtime) == 0
    late = expected[2:4]
    await as_owner(runtime.settings, *(f"DROP TABLE partitions.{name}" for name in late))
    assert await write(runtime, parent, 2) == f"partitions.{parent}_default"
    assert await write(runtime, parent, 5) == f"partitions.{parent}_default"

    assert await partitions.make_ahead(runtime) == len(late)

    assert await names(runtime, parent) == expected
    found = await rows(runtime, parent)
    assert found[f"partitions.{late[0]}"] == 1, "it moved to its month"
    assert found[f"partitions.{parent}_default"] == 1, "its month is not made yet"
    assert await write(runtime, parent, 3) == f"partitions.{late[1]}"


async def test_old_months_of_the_outbox_are_dropped_unless_a_message_waits(
    runtime: Runtime,
) -> None:
    oldest, waiting, old, young = await add(runtime, months.OUTBOX, 5, 4, 2, 1)
    wait = f"UPDATE partitions.{waiting} SET handled_at = NULL"  # noqa: S608 - our own words
    await as_owner(runtime.settings, wait)
    before = await names(runtime, months.OUTBOX)
    assert await partitions.drop_old(runtime) == 2
    assert await names(runtime, months.OUTBOX) == sorted({*before} - {oldest, old})
    assert young in before
    await as_owner(runtime.settings, wait.replace("NULL", "now()"))
    assert await partitions.drop_old(runtime) == 1
    assert waiting not in await names(runtime, months.OUTBOX)


async def test_the_audit_trail_is_kept_for_as_many_months_as_are_set(
    scratch: ScratchFactory,
) -> None:
    async with scratch(audit_kept_months=AUDIT_KEPT) as application:
        runtime: Runtime = application.state.runtime
        old = await add(runtime, months.AUDIT, AUDIT_KEPT + 2, AUDIT_KEPT + 1)
        [young] = await add(runtime, months.AUDIT, AUDIT_KEPT)
        before = await names(runtime, months.AUDIT)
        longer = runtime.settings.model_copy(update={"audit_kept_months": AUDIT_KEPT + 2})
        assert await partitions.drop_old(replace(runtime, settings=longer)) == 0

        assert await partitions.drop_old(runtime) == 2

        assert await names(runtime, months.AUDIT) == sorted({*before} - {*old})
        found = await rows(runtime, months.AUDIT)
        assert found[f"partitions.{young}"] == 1
        async with runtime.database.read() as tx:
            query = "SELECT facts ->> 'until' FROM audit_entries WHERE verb = 'forgotten'"
            told = list((await tx.execute(text(query))).scalars())
        assert len(told) == 2
        assert max(told)[:7] == f"{young[-6:-2]}-{young[-2:]}", "until the month that is left"


async def test_what_was_forgotten_is_no_difference_and_excuses_nothing_younger(
    runtime: Runtime,
) -> None:
    """A role of then has no entry any more; a role of now without one is a difference."""
    await add(runtime, months.AUDIT, AUDIT_KEPT + 1)
    person, org = await make_person(runtime), await make_org(runtime)
    grant = (
        "INSERT INTO role_grants (person_id, role, org_id, created_at) VALUES"  # noqa: S608
        f" ('{person.id}', '{{}}', '{org.id}', now() - make_interval(months => {{}}))"
    )
    await as_owner(runtime.settings, grant.format("auditor", AUDIT_KEPT + 3))
    [missing] = (await verified(runtime)).differences
    assert missing.check.startswith("roles")

    assert await partitions.drop_one(runtime, months.AUDIT, AUDIT_KEPT) == 1
    await assert_ledger_verifies(runtime)

    await as_owner(runtime.settings, grant.format("organizer", 1))
    [missing] = (await verified(runtime)).differences
    assert (missing.check.split(":")[0], str(person.id) in str(missing.expected)) == ("roles", True)


async def test_a_forged_entry_excuses_nothing_and_is_told(runtime: Runtime) -> None:
    """Whatever ``until`` the service writes, and with whatever id and time of the entry."""
    person, org = await make_person(runtime), await make_org(runtime)
    forged = (
        "INSERT INTO audit_entries (id, at, verb, subject_type, subject_id, fields, facts) VALUES"  # noqa: S608
        f" ({{}}, {{}}, 'forgotten', 'audit_entry', '{person.id}', '[]',"
        " jsonb_build_object('until', {}))"
    )
    month = (
        "to_char(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '36 months',"
        " 'YYYY-MM-DD') || 'T00:00:00+00:00'"
    )
    late = "uuidv7(interval '90 years')"
    await as_owner(
        runtime.settings,
        f"INSERT INTO role_grants (person_id, role, org_id) VALUES ('{person.id}', 'auditor',"  # noqa: S608
        f" '{org.id}')",
        *(
            forged.format(*values)
            for values in (
                ("uuidv7()", "now()", "'2099-01-01T00:00:00+00:00'"),
                (late, "now() + interval '90 years'", "'2099-01-01T00:00:00+00:00'"),
                ("uuidv4()", "now()", month),
                ("uuidv7()", "now()", "'2001-01-15T00:00:00+00:00'"),
                ("uuidv7(interval '-4 years')", "now()", month),
                ("uuidv7()", "now()", "'the day before'"),
            )
        ),
    )

    found = [
        (one.check.split(":")[0], one.subject[:10]) for one in (await verified(runtime)).differences
    ]

    assert sorted(found) == [*[("audit trail", "audit entr")] * 6, ("roles", "role grant")]


@pytest.mark.usefixtures("at_noon")
async def test_sealed_entries_of_a_dropped_month_are_not_missed(runtime: Runtime) -> None:
    """What a seal has of them stays; others that are gone are a difference."""
    person, org = await make_person(runtime), await make_org(runtime)
    await give_points(runtime, person.id, 5, org=org.id, at=noon(1))
    [old] = await add(runtime, months.AUDIT, AUDIT_KEPT + 1)
    await as_owner(
        runtime.settings,
        f"UPDATE partitions.{old} SET at = '{noon(1)}'",  # noqa: S608 - our own words
        "INSERT INTO audit_entries (verb, subject_type, subject_id, fields, at)"  # noqa: S608
        f" VALUES ('changed', 'test', uuidv7(), '[]', '{noon(1)}')",
    )
    assert await seals.seal(runtime) == 1
    await assert_ledger_verifies(runtime)

    assert await partitions.drop_one(runtime, months.AUDIT, AUDIT_KEPT) == 1
    await assert_ledger_verifies(runtime)

    await as_owner(runtime.settings, "DELETE FROM audit_entries WHERE subject_type = 'test'")
    [missing] = (await verified(runtime)).differences
    assert missing.subject.startswith("audit entry")


async def test_the_service_can_drop_nothing_young(runtime: Runtime) -> None:
    """Whatever it asks the functions for, with the password of qx_app alone."""
    kept = {
        months.AUDIT: await add(runtime, months.AUDIT, AUDIT_KEPT, 1),
        months.OUTBOX: await add(runtime, months.OUTBOX, 1),
    }
    assert runtime.settings.database_url is not None
    service = await connect(runtime.settings.database_url)
    drop = "SELECT drop_partition($1, now() + interval '100 years', -1000)"
    for parent in PARENTS:
        assert await service.fetchval(drop, parent) is None
        assert {*kept[parent]} <= {*await names(runtime, parent)}
    others: tuple[str | None, ...] = ("ledger_transfers", "Outbox", None)
    for other in others:
        for call in (drop, "SELECT make_partitions($1, 1)"):
            with pytest.raises(asyncpg.InvalidParameterValueError):
                await service.fetchval(call, other)
    for call in (
        "SELECT drop_partition('outbox', NULL, 1)",
        "SELECT drop_partition('outbox', now(), NULL)",
        "SELECT make_partitions('outbox', 1000)",
    ):
        with pytest.raises(asyncpg.InvalidParameterValueError):
            await service.fetchval(call)
    await service.close()


async def test_a_clock_that_jumps_drops_and_makes_nothing(runtime: Runtime) -> None:
    due, young = await add(runtime, months.OUTBOX, 3, 1)
    jobs = [job for job in partitions.JOBS if job.by_clock]
    assert jobs == [*partitions.JOBS]
    drop, jump = jobs[1], timedelta(days=800)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "drop_one", nothing)
        assert await worker._run(runtime, drop) == "done"
    with travel(now() + jump):
        assert await worker._run(runtime, drop) == "held"
        with pytest.raises(ClockWrong):  # in the middle of a run
            await partitions.drop_old(runtime)
    assert {due, young} <= {*await names(runtime, months.OUTBOX)}
    # A first run has nothing to compare with: then PostgreSQL's clock tells what is young.
    for expected in (1, 0):
        async with runtime.database.transaction() as tx:
            assert await months.drop(tx, months.OUTBOX, now() + jump, 1) == expected
    assert young in await names(runtime, months.OUTBOX)


async def nothing(*_: object) -> int:
    return 0


@pytest.mark.parametrize("parent", PARENTS)
async def test_what_waits_for_a_lock_gives_up_and_is_tried_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, parent: str
) -> None:
    """Requests queue behind it meanwhile. The functions set the time-out, not the connection."""
    [old] = await add(runtime, parent, AUDIT_KEPT + 1)
    newest = max((await names(runtime, parent))[:-1])
    await as_owner(runtime.settings, f"DROP TABLE partitions.{newest}")
    monkeypatch.setattr(partitions, "PAUSE_S", 0)
    monkeypatch.setattr(partitions, "ATTEMPTS", 2)
    assert runtime.settings.database_url is not None
    service = await connect(runtime.settings.database_url)
    assert await service.fetchval("SHOW lock_timeout") == "0"
    async with runtime.database.transaction() as tx:
        await write_in(tx, parent, 0)
        await write_in(tx, parent, 9)  # in the default partition
        for call in ("drop_partition($1, now(), 36)", "make_partitions($1, 3)"):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await asyncio.wait_for(service.fetchval(f"SELECT {call}", parent), 20)
        with pytest.raises(LockTimeout):
            await partitions.drop_one(runtime, parent, AUDIT_KEPT)
        assert old in await names(runtime, parent)
    await service.close()
    assert await partitions.drop_one(runtime, parent, AUDIT_KEPT) == 1
    assert await partitions.make_ahead(runtime) == 1
