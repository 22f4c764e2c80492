"""The audit trail and the outbox of before become partitions, and are whole on the way back."""

import asyncio
from typing import Any

from alembic import command
from app.embedded.databases import connect
from app.migrations import config_for
from tests.migrations.rows import found

BEFORE, AFTER = "20261129_recorded", "20261129_partitions"
# A waiting and a handled message, one of a clock that was ahead, and a number that was used.
ROWS = """
INSERT INTO people (openid_index, openid_sealed, display_name) VALUES ('1', '', '王');
INSERT INTO audit_entries (id, actor_id, verb, subject_type, subject_id, fields)
SELECT uuidv7(make_interval(months => n)), p.id, CAST(n AS text), 'test', p.id, '[]'
FROM people p, unnest(ARRAY[-40, 0, 2, 40]) AS n;
INSERT INTO outbox (topic, payload, created_at, handled_at)
SELECT CAST(n AS text), '{"a": 1}', now() + make_interval(months => n),
       CASE WHEN n < 0 THEN now() END
FROM unnest(ARRAY[-40, 0, 2, 40, 0]) AS n;
DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox)
"""
ALL = {
    "audit_entries": "SELECT a.* FROM audit_entries a ORDER BY id",
    "outbox": "SELECT o.* FROM outbox o ORDER BY id",
}
# In which month each is, from this one on.
WHERE = """
SELECT {name}, CASE part WHEN 'partitions.{table}_default' THEN 'default' ELSE CAST(
    extract(month FROM age(to_date(right(part, 6), 'YYYYMM'),
                           CAST(date_trunc('month', now() AT TIME ZONE 'UTC') AS date))) AS text)
    END
FROM (SELECT *, CAST(CAST(tableoid AS regclass) AS text) AS part FROM {table}) x
ORDER BY CAST({name} AS int)
"""


async def contents(connection: Any) -> dict[str, list[tuple[Any, ...]]]:
    return {table: await found(connection, query) for table, query in ALL.items()}


async def test_rows_of_before_are_in_their_months_and_back(empty: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(empty), BEFORE)
    connection = await connect(empty)
    await connection.execute(ROWS)
    before = await contents(connection)
    write = "INSERT INTO outbox (topic, payload) VALUES ('9', '{}') RETURNING id"

    await asyncio.to_thread(command.upgrade, config_for(empty), AFTER)
    assert await contents(connection) == before
    for table, name in (("audit_entries", "verb"), ("outbox", "topic")):
        assert await found(connection, WHERE.format(table=table, name=name)) == [
            *(("-40", "0"), ("0", "0"), ("2", "2"), ("40", "default")),
        ]
    assert await connection.fetchval(write) == 6, "numbers go on after one that was used"

    await asyncio.to_thread(command.downgrade, config_for(empty), BEFORE)
    assert await connection.fetchval(write) == 7
    await connection.execute("DELETE FROM outbox WHERE topic = '9'")
    assert await contents(connection) == before
    await connection.close()
