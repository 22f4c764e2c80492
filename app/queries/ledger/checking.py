# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of the ledger: each recomputes something from the transfers and lists differences.

Every check is one set-based scan that returns rows of (subject, expected, found).
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from app.core.db import Session
from app.queries.ledger import totals

MAX_DIFFERENCES = 100

# Both sides of each transfer, from the view of the account.
ENTRIES = """
SELECT from_account_id AS account_id, from_number AS number, -amount AS signed,
       from_balance AS balance FROM ledger_transfers
UNION ALL
SELECT to_account_id, to_number, amount, to_balance FROM ledger_transfers
"""


@dataclass(frozen=True)
class Check:
    name: str
    sql: str


def of_one_person(one: str, other: str) -> str:
    """Return SQL of the condition that two ids are, by now, one person's."""
    return f"""EXISTS (
    SELECT FROM people g JOIN people h ON h.id = {other} WHERE g.id = {one}
      AND coalesce(g.merged_into_id, g.id) = coalesce(h.merged_into_id, h.id))"""


ENTRY_CHECKS = (
    Check(
        "accounts: the balance is the sum of the transfers",
        f"""
        SELECT 'account ' || a.id AS subject, coalesce(e.total, 0) AS expected, a.balance AS found
        FROM ledger_accounts a
        LEFT JOIN (SELECT account_id, sum(signed) AS total FROM ({ENTRIES}) x GROUP BY 1) e
          ON e.account_id = a.id
        WHERE a.balance <> coalesce(e.total, 0)
        """,
    ),
    Check(
        "accounts: transfers are numbered 1, 2, 3 … without a gap",
        f"""
        SELECT 'account ' || a.id AS subject,
               a.last_number || ' transfers, numbered 1 to ' || a.last_number AS expected,
               coalesce(e.entries, 0) || ' transfers, ' || coalesce(e.numbers, 0)
                   || ' numbers from ' || coalesce(e.first, 0) || ' to ' || coalesce(e.last, 0)
                   AS found
        FROM ledger_accounts a
        LEFT JOIN (SELECT account_id, count(*) AS entries, count(DISTINCT number) AS numbers,
                          min(number) AS first, max(number) AS last
                   FROM ({ENTRIES}) x GROUP BY 1) e ON e.account_id = a.id
        WHERE a.last_number <> coalesce(e.entries, 0)
           OR (e.entries IS NOT NULL
               AND (e.numbers <> e.entries OR e.first <> 1 OR e.last <> e.entries))
        """,
    ),
    Check(
        "transfers: the balance after each one is the running sum",
        f"""
        SELECT 'account ' || account_id || ' number ' || number AS subject,
               running AS expected, balance AS found
        FROM (SELECT account_id, number, balance,
                     sum(signed) OVER (PARTITION BY account_id ORDER BY number) AS running
              FROM ({ENTRIES}) x) y
        WHERE running <> balance
        """,
    ),
    Check(
        "transfers: no balance was ever below the account's floor",
        """
        SELECT 'account ' || a.id || ' number ' || t.from_number AS subject,
               a.floor AS expected, t.from_balance AS found
        FROM ledger_transfers t JOIN ledger_accounts a ON a.id = t.from_account_id
        WHERE t.from_balance < a.floor
        """,
    ),
)
LOT_CHECKS = (
    Check(
        "lots: what is left sums to the balance of the account",
        """
        SELECT 'account ' || a.id AS subject, a.balance AS expected,
               coalesce(l.remaining, 0) AS found
        FROM ledger_accounts a
        LEFT JOIN (SELECT account_id, sum(remaining) AS remaining FROM ledger_lots GROUP BY 1) l
          ON l.account_id = a.id
        WHERE (a.purpose = 'available' AND a.unit_id <> 2 AND a.balance <> coalesce(l.remaining, 0))
           OR (l.remaining IS NOT NULL AND (a.purpose <> 'available' OR a.unit_id = 2))
        """,
    ),
    Check(
        "lots: what is left is the amount less the uses",
        """
        SELECT 'lot ' || l.id AS subject, l.amount - coalesce(u.used, 0) AS expected,
               l.remaining AS found
        FROM ledger_lots l
        LEFT JOIN (SELECT lot_id, sum(amount) AS used FROM ledger_lot_uses GROUP BY 1) u
          ON u.lot_id = l.id
        WHERE l.remaining <> l.amount - coalesce(u.used, 0)
        """,
    ),
    Check(
        "lots: each comes from a transfer into its account, of its amount at least",
        """
        SELECT 'lot ' || l.id AS subject, l.amount AS expected, t.amount AS found
        FROM ledger_lots l LEFT JOIN ledger_transfers t
          ON t.id = l.transfer_id AND t.to_account_id = l.account_id
        WHERE t.amount IS NULL OR t.amount < l.amount
        """,
    ),
    Check(
        "lot uses: what a transfer took, or gave back and put into new lots, is its amount",
        """
        SELECT 'transfer ' || t.id AS subject,
               CASE WHEN p.purpose = 'available' THEN t.amount ELSE 0 END
                   - CASE WHEN q.purpose = 'available' THEN t.amount ELSE 0 END
                   || ', and nothing the other way' AS expected,
               coalesce(u.used, 0) - coalesce(l.made, 0) || ', moving '
                   || coalesce(u.moved, 0) + coalesce(l.made, 0) AS found
        FROM ledger_transfers t
        JOIN ledger_accounts p ON p.id = t.from_account_id
        JOIN ledger_accounts q ON q.id = t.to_account_id
        LEFT JOIN (SELECT transfer_id, sum(amount) AS used, sum(abs(amount)) AS moved
                   FROM ledger_lot_uses GROUP BY 1) u ON u.transfer_id = t.id
        LEFT JOIN (SELECT transfer_id, sum(amount) AS made FROM ledger_lots GROUP BY 1) l
          ON l.transfer_id = t.id
        WHERE t.unit_id <> 2
          AND (coalesce(u.used, 0) - coalesce(l.made, 0)
               <> CASE WHEN p.purpose = 'available' THEN t.amount ELSE 0 END
                  - CASE WHEN q.purpose = 'available' THEN t.amount ELSE 0 END
            OR abs(u.used) <> u.moved)
        """,
    ),
    Check(
        "lot uses: each names a lot and a transfer that exist",
        """
        SELECT 'use of lot ' || u.lot_id || ' by ' || u.transfer_id AS subject,
               u.amount AS expected, NULL AS found
        FROM ledger_lot_uses u
        LEFT JOIN ledger_lots l ON l.id = u.lot_id
        LEFT JOIN ledger_transfers t ON t.id = u.transfer_id
        WHERE l.id IS NULL OR t.id IS NULL
        """,
    ),
)
ACCOUNT_CHECKS = (
    Check("totals: each is the sum of the entries up to its number", totals.WRONG),
    Check(
        "accounts: the floor is that of the purpose",
        """
        SELECT 'account ' || id AS subject, purpose AS expected, floor AS found
        FROM ledger_accounts
        WHERE floor IS DISTINCT FROM
              CASE WHEN purpose IN ('fund', 'debt', 'income', 'clearing') THEN NULL ELSE 0 END
        """,
    ),
    Check(
        "units: all balances sum to zero",
        """
        SELECT 'unit ' || unit_id AS subject, 0 AS expected, sum(balance) AS found
        FROM ledger_accounts GROUP BY unit_id HAVING sum(balance) <> 0
        """,
    ),
)


async def differences(session: Session, check: Check) -> list[tuple[str, Any, Any]]:
    """Run one check; at most 100 differences are listed."""
    rows = await session.execute(text(f"{check.sql} LIMIT {MAX_DIFFERENCES}"))
    return [(row.subject, row.expected, row.found) for row in rows]


async def count_rows(session: Session) -> dict[str, int]:
    """Count the rows that a verification reads."""
    tables = ("accounts", "transfers", "lots", "lot_uses")
    counts = ", ".join(f"(SELECT count(*) FROM ledger_{name}) AS {name}" for name in tables)
    row = (await session.execute(text(f"SELECT {counts}"))).mappings().one()
    return dict(row)
