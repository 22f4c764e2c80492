"""Activities that were there before their lists."""

import asyncio
from typing import Any

import pytest

from alembic import command
from app.embedded.databases import connect
from app.migrations import config_for

BEFORE, AFTER = "20261122_core_tables", "20261122_activity_lists"
# More than one lot, and no whole number of them.
NUMBER = 2_300
ACTIVITIES = f"""
INSERT INTO people (openid_index, openid_sealed, display_name) VALUES ('1', '', '王');
INSERT INTO orgs (code, name, level, path) VALUES ('31', '上海市', 'city', '/31/');
INSERT INTO activities (org_id, org_path, title, description, category, status, starts_at, ends_at,
    signup_opens_at, signup_closes_at, rule_key, signups_confirmed, signups_waitlisted,
    last_queue_number, checkins, created_by)
SELECT o.id, o.path, '植树' || n % 10, '', 'health', 'published', at, at + INTERVAL '1 hour',
       at - INTERVAL '1 day', at, 'volunteer_hour', 0, 0, 0, 0, p.id
FROM generate_series(1, {NUMBER}) n, orgs o, people p,
     LATERAL (SELECT TIMESTAMPTZ '2026-01-01' + n * INTERVAL '1 minute' AS at)
"""  # noqa: S608 - a number of ours
STOPPED = f"""
UPDATE alembic_version SET version_num = '{BEFORE}';
DROP INDEX ix_redemptions_person;
DELETE FROM activity_lists WHERE activity_id > (
    SELECT id FROM activities ORDER BY id OFFSET {NUMBER // 2} LIMIT 1)
"""  # noqa: S608 - constants
COMPLETE = """
SELECT (SELECT count(DISTINCT activity_id) FROM activity_lists) AS activities, count(*) AS places,
       count(*) FILTER (WHERE l.starts_at = a.starts_at AND l.status = a.status) AS right_places
FROM activity_lists l JOIN activities a ON a.id = l.activity_id
"""
# '/', '/31/', both with the category, 植, 树, a figure, 植树, 树 with the figure.
PLACES = 9


async def complete(connection: Any) -> tuple[int, int, int]:
    return tuple(await connection.fetchrow(COMPLETE))


@pytest.fixture
async def before(empty: str) -> str:
    """The owner's URL of a database of the time before."""
    await asyncio.to_thread(command.upgrade, config_for(empty), BEFORE)
    connection = await connect(empty)
    await connection.execute(ACTIVITIES)
    await connection.close()
    return empty


async def test_what_was_there_is_listed_afterwards(before: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(before), AFTER)
    connection = await connect(before)
    assert await complete(connection) == (NUMBER, NUMBER * PLACES, NUMBER * PLACES)
    await connection.close()


async def test_a_migration_that_stopped_half_way_can_be_run_again(before: str) -> None:
    """The lists of some are there, an index is not: as a lost connection leaves it."""
    await asyncio.to_thread(command.upgrade, config_for(before), AFTER)
    connection = await connect(before)
    await connection.execute(STOPPED)
    assert (await complete(connection))[0] < NUMBER
    await asyncio.to_thread(command.upgrade, config_for(before), AFTER)
    assert await complete(connection) == (NUMBER, NUMBER * PLACES, NUMBER * PLACES)
    await connection.close()


async def test_back_and_forth(before: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(before), AFTER)
    await asyncio.to_thread(command.downgrade, config_for(before), BEFORE)
    connection = await connect(before)
    functions = (
        "SELECT count(*) FROM pg_proc WHERE proname IN ('enlist_activity', 'lists_of_activity')"
    )
    assert await connection.fetchval(functions) == 0
    await connection.execute("UPDATE activities SET title = '灯谜'")
    await asyncio.to_thread(command.upgrade, config_for(before), AFTER)
    assert (await complete(connection))[0] == NUMBER
    assert await connection.fetchval(functions) == 2
    await connection.close()
