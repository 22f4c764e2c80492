"""Activities that were there before their words."""

import asyncio
from typing import Any

import pytest

from alembic import command
from app.embedded.databases import connect
from app.migrations import config_for

BEFORE, AFTER = "20261129_drafts_and_days", "20261129_search"
# More than one lot, and no whole number of them.
NUMBER = 1_100
ACTIVITIES = f"""
INSERT INTO people (openid_index, openid_sealed, display_name) VALUES ('1', '', '王');
INSERT INTO orgs (code, name, level, path) VALUES ('31', '上海市', 'city', '/31/');
INSERT INTO activities (org_id, org_path, title, description, category, status, starts_at, ends_at,
    signup_opens_at, signup_closes_at, rule_key, signups_confirmed, signups_waitlisted,
    last_queue_number, checkins, created_by)
SELECT o.id, o.path, '讀', '', 'health', 'published', at, at + INTERVAL '1 hour',
       at - INTERVAL '1 day', at, 'volunteer_hour', 0, 0, 0, 0, p.id
FROM generate_series(1, {NUMBER}) n, orgs o, people p,
     LATERAL (SELECT now() + n * INTERVAL '1 minute' AS at)
"""  # noqa: S608 - a number of ours
STOPPED = f"""
UPDATE alembic_version SET version_num = '{BEFORE}';
DROP TRIGGER index_activities ON orgs;
DELETE FROM activity_words WHERE activity_id > (
    SELECT id FROM activities ORDER BY id OFFSET {NUMBER // 2} LIMIT 1)
"""  # noqa: S608 - constants
COUNTS = """
SELECT (SELECT count(*) FROM activity_texts WHERE text = ' 读 上海市 '),
       (SELECT count(*) FROM activity_words w JOIN activities a ON a.id = w.activity_id
        WHERE a.starts_at = w.starts_at),
       (SELECT count(*) FROM activity_lists)
"""
# 读, 上, 海, 市, 上海, 海市; '/', '/31/', both with the category.
INDEXED = (NUMBER, NUMBER * 6, NUMBER * 4)
FUNCTIONS = """
SELECT count(*) FROM pg_proc WHERE proname LIKE 'search\\_%' OR proname LIKE 'index\\_acti%'
OR proname = 'index_changed_activity'
"""


async def counts(connection: Any) -> tuple[int, ...]:
    return tuple(await connection.fetchrow(COUNTS))


@pytest.fixture
async def before(empty: str) -> str:
    """The owner's URL of a database of the time before."""
    await asyncio.to_thread(command.upgrade, config_for(empty), BEFORE)
    connection = await connect(empty)
    await connection.execute(ACTIVITIES)
    await connection.close()
    return empty


async def test_what_was_there_is_indexed_also_after_a_failure_and_loses_nothing_on_the_way_back(
    before: str,
) -> None:
    config = config_for(before)
    connection = await connect(before)
    lists = "SELECT list, status, starts_at, activity_id FROM activity_lists"
    listed = set(await connection.fetch(lists))
    await asyncio.to_thread(command.upgrade, config, AFTER)
    assert await counts(connection) == INDEXED
    await connection.execute(STOPPED)
    await asyncio.to_thread(command.upgrade, config, AFTER)
    assert await counts(connection) == INDEXED
    assert await connection.fetchval(FUNCTIONS) == 6
    await asyncio.to_thread(command.downgrade, config, BEFORE)
    assert set(await connection.fetch(lists)) == listed
    assert await connection.fetchval(FUNCTIONS) == 0
    await connection.execute("UPDATE activities SET title = '灯谜'")
    found = await connection.fetchval("SELECT count(*) FROM activity_lists WHERE list = '~灯谜'")
    assert found == NUMBER
    await connection.close()
