"""Appeals and objections of before: carried over as cases, and given back."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from alembic import command
from app.embedded.databases import connect
from app.migrations import config_for

BEFORE, CASES = "20261129_audit_facts", "20261129_cases"
# People 1 to 4: who proposes and deducts, whose points they are, a neighbour, a judge.
PEOPLE = """
INSERT INTO people (id, openid_index, openid_sealed, display_name)
SELECT CAST(lpad(n::text, 32, '0') AS uuid), CAST(n::text AS bytea), '', 'P' || n
FROM generate_series(1, 4) n
"""
ORG = "INSERT INTO orgs (code, name, level, path) VALUES ('1', '社区', 'community', '/1/')"
# Award 1 is in notice, 2 was rejected for an objection, 3 reversed.
AWARDS = """
INSERT INTO awards (id, reference, person_id, org_id, unit_id, rule_key, policy_version, points,
    points_before_caps, minutes, state, reason, title, evidence, proposed_by, awarded_at,
    reviews_needed, notice_days, open_objections)
SELECT CAST(lpad(n::text, 32, 'a') AS uuid), n::text, CAST(lpad('2', 32, '0') AS uuid), orgs.id, 1,
    'commendation', 1, 0, 0, 0, state, 'full', '表彰', '{}', CAST(lpad('1', 32, '0') AS uuid),
    '2026-10-01Z', 1, 3, open
FROM orgs, (VALUES (1, 'notice', 1), (2, 'rejected', 1), (3, 'reversed', 1)) k(n, state, open)
"""
OBJECTIONS = """
INSERT INTO award_objections (id, award_id, person_id, reason, created_at, upheld, decision,
    decided_by, decided_at)
SELECT CAST(lpad(n::text, 32, 'b') AS uuid), CAST(lpad(award::text, 32, 'a') AS uuid),
    CAST(lpad(person::text, 32, '0') AS uuid), '异议' || n, '2026-10-02Z', upheld,
    '决定' || (upheld::text),
    CASE WHEN upheld IS NOT NULL THEN CAST(lpad('4', 32, '0') AS uuid) END,
    CASE WHEN upheld IS NOT NULL THEN CAST('2026-10-05Z' AS timestamptz) END
FROM (VALUES (1, 1, 3, NULL), (2, 1, 1, false), (3, 2, 3, true), (4, 2, 1, NULL),
             (5, 3, 3, NULL)) k(n, award, person, upheld)
"""
DEDUCTIONS = """
INSERT INTO deductions (id, person_id, org_id, unit_id, rule_key, policy_version, title,
    points_asked, points, evidence, state, created_by, created_at, appeal_until, appeal,
    appealed_at, decision, decided_by, decided_at)
SELECT CAST(lpad(n::text, 32, 'd') AS uuid), CAST(lpad('2', 32, '0') AS uuid), orgs.id, 1,
    'no_show', 1, '缺席', 2, 2, jsonb_build_object('activity', n), state,
    CAST(lpad('1', 32, '0') AS uuid), '2026-10-01Z', '2026-11-01Z', appeal, appealed_at, decision,
    CASE WHEN decision IS NOT NULL THEN CAST(lpad('4', 32, '0') AS uuid) END, decided_at
FROM orgs, (VALUES
    (1, 'standing', NULL, CAST(NULL AS timestamptz), NULL, CAST(NULL AS timestamptz)),
    (2, 'appealed', '请过假', '2026-10-03Z', NULL, NULL),
    (3, 'upheld', '病了', '2026-10-04Z', '无凭据', '2026-10-06Z'),
    (4, 'revoked', '到了', '2026-10-05Z', '属实', '2026-10-07Z')
) k(n, state, appeal, appealed_at, decision, decided_at)
"""
STATE = (
    "SELECT * FROM award_objections ORDER BY id",
    "SELECT id, state, open_objections FROM awards ORDER BY id",
    """
    SELECT id, state, appeal, appealed_at, decision, decided_by, decided_at FROM deductions
    ORDER BY id
    """,
)
CASES_OF = """
SELECT right(subject_id::text, 1) AS subject, reason, right(created_by::text, 1) AS opener,
    created_at, state, right(handler_id::text, 1) AS handler, outcome, answer, answered_at,
    due_at IS NOT NULL AS is_due, org_id = (SELECT id FROM orgs) AS is_there
FROM cases WHERE kind = $1 ORDER BY id
"""
ENTRIES = """
SELECT reason, number, step, from_state, to_state, right(author_id::text, 1) AS author, text,
    e.created_at, number = last_number AS is_last
FROM case_entries e JOIN cases c ON c.id = e.case_id ORDER BY c.id, number
"""


def day(number: int) -> datetime:
    return datetime(2026, 10, number, tzinfo=UTC)


@pytest.fixture
async def old(empty: str) -> str:
    """A database of the migration before, with appeals and objections in it."""
    await asyncio.to_thread(command.upgrade, config_for(empty), BEFORE)
    await run(empty, PEOPLE, ORG, AWARDS, OBJECTIONS, DEDUCTIONS)
    return empty


async def run(url: str, *statements: str) -> None:
    connection = await connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def read(url: str, statement: str, *values: str) -> list[tuple[Any, ...]]:
    connection = await connect(url)
    found = await connection.fetch(statement, *values)
    await connection.close()
    return [tuple(row) for row in found]


async def test_what_was_objected_and_appealed_is_a_case(old: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(old), CASES)

    none = (None,) * 4
    assert await read(old, CASES_OF, "objection") == [
        ("1", "异议1", "3", day(2), "received", *none, True, True),
        ("1", "异议2", "1", day(2), "closed", "4", "dismissed", "决定false", day(5), False, True),
        ("2", "异议3", "3", day(2), "closed", "4", "adopted", "决定true", day(5), False, True),
        ("2", "异议4", "1", day(2), "withdrawn", *none, False, True),
        ("3", "异议5", "3", day(2), "withdrawn", *none, False, True),
    ]
    assert await read(old, CASES_OF, "appeal") == [
        ("2", "请过假", "2", day(3), "received", *none, True, True),
        ("3", "病了", "2", day(4), "closed", "4", "dismissed", "无凭据", day(6), False, True),
        ("4", "到了", "2", day(5), "closed", "4", "adopted", "属实", day(7), False, True),
    ]
    open_objections = await read(old, "SELECT open_objections FROM awards ORDER BY id")
    assert open_objections == [(1,), (0,), (0,)]


async def test_each_has_the_entries_of_its_way(old: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(old), CASES)

    found = await read(old, ENTRIES)

    ways = {reason: [row[1:] for row in found if row[0] == reason] for reason, *_ in found}
    assert len(ways) == 8
    assert ways["请过假"] == [(1, "opened", None, "received", "2", None, day(3), True)]
    assert ways["到了"] == [
        (1, "opened", None, "received", "2", None, day(5), False),
        (2, "accepted", "received", "accepted", "4", None, day(7), False),
        (3, "answered", "accepted", "closed", "4", "属实", day(7), True),
    ]
    opened, (*lapsed, at, is_last) = ways["异议5"]
    assert opened == (1, "opened", None, "received", "3", None, day(2), False)
    assert (lapsed, is_last) == ([2, "lapsed", "received", "withdrawn", None, None], True)
    assert at > day(7)


async def test_the_way_back_loses_nothing_that_there_was(old: str) -> None:
    before = [await read(old, statement) for statement in STATE]

    for _ in range(2):
        await asyncio.to_thread(command.upgrade, config_for(old), CASES)
        await asyncio.to_thread(command.downgrade, config_for(old), BEFORE)

        assert [await read(old, statement) for statement in STATE] == before


async def test_a_carried_case_goes_on_as_any_other(old: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(old), CASES)
    change = "UPDATE cases SET state = 'refused', last_number = 2 WHERE reason = '请过假'"
    entry = """
    INSERT INTO case_entries (case_id, number, step, from_state, to_state)
    SELECT id, 2, 'refused', 'received', 'refused' FROM cases WHERE reason = '请过假'
    """

    with pytest.raises(Exception, match="no entry 2 from received to refused"):
        await run(old, change)
    await run(old, f"BEGIN; {entry}; {change}; COMMIT")
