"""Reservations that were made before holds had a deadline in the ledger."""

import asyncio

from alembic import command
from app.embedded.databases import connect
from app.migrations import config_for
from tests.migrations.rows import found

BEFORE, AFTER = "20261129_audit_facts", "20261129_holds"
# One person has reserved three times: one is collected, the other two end at different moments.
RESERVED = """
INSERT INTO people (openid_index, openid_sealed, display_name) VALUES ('1', '', '王');
INSERT INTO orgs (code, name, level, path) VALUES ('31', '上海市', 'city', '/31/');
INSERT INTO merchants (org_id, name, kind) SELECT id, '店', 'shop' FROM orgs;
INSERT INTO rewards (org_id, merchant_id, key, name, kind, points, stock_period, min_tier,
    limit_period)
SELECT org_id, id, 'soap', '香皂', 'goods', 5, 'session', 'sprout', 'year' FROM merchants;
INSERT INTO ledger_accounts (unit_id, owner_id, purpose, balance, floor, last_number)
SELECT 1, id, purpose, 10, 0, 3 FROM people, (VALUES ('available'), ('held')) k(purpose);
INSERT INTO redemptions (id, person_id, reward_id, merchant_id, quantity, points, unit_id, status,
    pickup_code, stock_period_start, expires_at)
SELECT CAST('00000000-0000-0000-0000-00000000000' || n AS uuid), p.id, r.id, r.merchant_id, 1, 5, 1,
       CASE n WHEN 1 THEN 'collected' ELSE 'reserved' END, n, now(),
       TIMESTAMPTZ '2027-01-01' + n * INTERVAL '1 day'
FROM generate_series(1, 3) n, people p, rewards r;
INSERT INTO ledger_transfers (id, unit_id, from_account_id, to_account_id, amount, from_number,
    to_number, from_balance, to_balance, kind, reason, reference, source_type, source_id, org_id)
SELECT r.id, 1, a.id, h.id, 5, n, n, 0, 0, 'hold', '', 'redemption:' || n || ':hold', 'redemption',
       r.id, w.org_id
FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM redemptions) r
JOIN rewards w ON w.id = r.reward_id
JOIN ledger_accounts a ON a.purpose = 'available' JOIN ledger_accounts h ON h.purpose = 'held'
"""
HOLDS = """
SELECT substring(CAST(h.transfer_id AS text) FROM 36) AS n, a.purpose, h.held_until = r.expires_at,
       h.reason, h.is_open
FROM ledger_holds h JOIN ledger_accounts a ON a.id = h.account_id
JOIN redemptions r ON r.id = h.transfer_id ORDER BY n
"""
FIRST = """
SELECT purpose, holds_until = (SELECT min(expires_at) FROM redemptions WHERE status = 'reserved')
FROM ledger_accounts ORDER BY purpose
"""


async def test_what_is_reserved_is_held_until_it_expires(empty: str) -> None:
    await asyncio.to_thread(command.upgrade, config_for(empty), BEFORE)
    connection = await connect(empty)
    await connection.execute(RESERVED)

    for _ in range(2):  # the second time after the way back
        await asyncio.to_thread(command.upgrade, config_for(empty), AFTER)
        assert await found(connection, HOLDS) == [
            ("2", "available", True, "兑换退回：香皂", True),
            ("3", "available", True, "兑换退回：香皂", True),
        ]
        assert await found(connection, FIRST) == [("available", True), ("held", None)]
        await asyncio.to_thread(command.downgrade, config_for(empty), BEFORE)

    await connection.close()
