"""Activities, attendance and numbers of before they were limited, counted once and folded."""

import asyncio

import asyncpg
import pytest

from alembic import command
from app.embedded.databases import connect
from app.migrations import config_for
from tests.migrations.rows import found

BEFORE, AFTER = "20261129_attachments", "20261129_days"
# By their titles: days begun a moment ago, years ahead, and two of two hours that overlap.
MADE = """
INSERT INTO people (openid_index, openid_sealed, display_name) VALUES ('1', '', '王');
INSERT INTO orgs (code, name, level, path) VALUES ('31', '上海市', 'city', '/31/');
INSERT INTO activities (org_id, org_path, title, description, category, status, starts_at, ends_at,
    signup_opens_at, signup_closes_at, rule_key, signups_confirmed, signups_waitlisted,
    last_queue_number, checkins, created_by)
SELECT o.id, o.path, title, '', 'health', 'published', now() + start, now() + start + length,
       now() - INTERVAL '1 day', now(), 'volunteer_hour', 0, 0, 0, 0, p.id
FROM orgs o, people p, (VALUES
    ('long', INTERVAL '-1 minute', INTERVAL '3 days'), ('far', '3 years', '2 hours'),
    ('first', '0', '2 hours'), ('second', '1 hour', '2 hours'), ('taken back', '0', '2 hours')
) k(title, start, length);
INSERT INTO awards (reference, person_id, org_id, unit_id, rule_key, policy_version, points,
    points_before_caps, minutes, state, reason, title, evidence, awarded_at, reviews_needed,
    notice_days)
SELECT title, p.id, o.id, 1, 'volunteer_hour', 1, 4, 4, 120,
       CASE title WHEN 'taken back' THEN 'reversed' ELSE 'available' END, 'full', title, '{}',
       now(), 0, 0
FROM people p, orgs o, (VALUES ('taken back'), ('first'), ('second')) k(title);
INSERT INTO checkins (activity_id, person_id, method, session, checked_in_at, award_id)
SELECT v.id, a.person_id, 'rotating_code', 0, now(), a.id
FROM awards a JOIN activities v ON v.title = a.title;
INSERT INTO award_evidence_numbers (unit_id, rule_key, field, number, proposal_id, created_at)
SELECT 1, 'one', 'dispatch_no', number, gen_random_uuid(), now() + n * INTERVAL '1 day'
FROM (VALUES (1, '١٢'), (2, '12'), (3, '४')) AS k(n, number)
"""
LIMITED = "SELECT title, before_limits FROM activities ORDER BY title"
COUNTED = """
SELECT v.title, CAST(upper(t.during) - lower(t.during) AS text)
FROM attended_times t JOIN checkins c ON c.award_id = t.award_id
JOIN activities v ON v.id = c.activity_id ORDER BY v.title
"""
NUMBERS = "SELECT number FROM award_evidence_numbers ORDER BY created_at"


async def test_what_was_there_is_marked_counted_and_folded(empty: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(empty), BEFORE)
    connection = await connect(empty)
    await connection.execute(MADE)

    for _ in range(2):  # the second time after the way back
        await asyncio.to_thread(command.upgrade, config_for(empty), AFTER)
        assert await found(connection, LIMITED) == [
            ("far", True),
            ("first", False),
            ("long", True),
            ("second", False),
            ("taken back", False),
        ]
        assert await found(connection, COUNTED) == [("first", "02:00:00"), ("second", "01:00:00")]
        assert await found(connection, NUMBERS) == [("12",), ("4",)]
        await connection.execute("UPDATE activities SET checkins = checkins + 1")
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "UPDATE activities SET ends_at = ends_at + INTERVAL '1 day' WHERE title = 'first'"
            )
        await asyncio.to_thread(command.downgrade, config_for(empty), BEFORE)
    await connection.close()
