"""Evidence numbers that were claimed when more spellings were different numbers."""

import asyncio

from alembic import command
from app.embedded.databases import connect
from app.migrations import config_for

BEFORE = "20261122_whole_seals"
# A day apart each: who names a number first keeps it.
CLAIMED = """
INSERT INTO award_evidence_numbers (unit_id, rule_key, field, number, proposal_id, created_at)
SELECT 1, rule, 'dispatch_no', number, gen_random_uuid(), now() + n * INTERVAL '1 day'
FROM (VALUES (1, 'one', '〔2026〕7'), (2, 'one', '[2026]7'), (3, 'one', 'a-1'),
             (4, 'two', '(2026)7'), (5, 'two', '【2026】7')) AS k(n, rule, number)
"""
FOUND = "SELECT rule_key, number, created_at FROM award_evidence_numbers ORDER BY created_at"


async def test_of_two_claims_to_what_is_one_number_now_the_older_stays(empty: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(empty), BEFORE)
    connection = await connect(empty)
    await connection.execute(CLAIMED)
    before = await connection.fetch(FOUND)

    await asyncio.to_thread(command.upgrade, config_for(empty), "head")

    after = await connection.fetch(FOUND)
    await connection.close()
    assert [(one["rule_key"], one["number"]) for one in after] == [
        ("one", "(2026)7"),
        ("one", "a-1"),
        ("two", "(2026)7"),
    ]
    assert [one["created_at"] for one in after] == [before[n]["created_at"] for n in (0, 2, 3)]
