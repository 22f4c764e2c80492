# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""SQL of totals: what a person earned, spent and lost, since any moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.models.ledger import Purpose

# The accounts whose entries make up the totals of a person.
COUNTED = (Purpose.available, Purpose.held, Purpose.debt)
NAMES = ("earned", "spent", "expired", "deducted")

# How an entry changes a total, by its kind: of an account that receives, and of one that pays.
# Earned: awards, releases and what exchanges brought, less reversals and clawbacks. Spent: charges,
# collections and what exchanges took, less refunds. So
# earned - spent - expired - deducted = available + held - owed.
_RECEIVED = {"award": ("earned", 1), "release": ("earned", 1), "refund": ("spent", -1)}
_RECEIVED |= {"restitution": ("deducted", -1), "exchange": ("earned", 1)}
_PAID = {"reversal": ("earned", -1), "clawback": ("earned", -1), "charge": ("spent", 1)}
_PAID |= {"collect": ("spent", 1), "expiry": ("expired", 1), "deduction": ("deducted", 1)}
_PAID |= {"exchange": ("spent", 1)}


def _sums(account: str, after: str, last: str) -> str:
    """Return SQL that sums the entries of an account after a number up to another."""
    sides = []
    for side, effects in (("to", _RECEIVED), ("from", _PAID)):
        values = ", ".join(
            f"('{kind}', '{name}', {sign})" for kind, (name, sign) in effects.items()
        )
        sides.append(f"""
        SELECT f.name, f.sign * t.amount AS amount
        FROM ledger_transfers t JOIN (VALUES {values}) f(kind, name, sign) ON f.kind = t.kind
        WHERE t.{side}_account_id = {account}
          AND t.{side}_number > {after} AND t.{side}_number <= {last}
        """)
    columns = ", ".join(
        f"coalesce(sum(amount) FILTER (WHERE name = '{name}'), 0) AS {name}" for name in NAMES
    )
    return f"SELECT {columns} FROM ({' UNION ALL '.join(sides)}) s"


_BEFORE = """
LEFT JOIN LATERAL (
    SELECT * FROM ledger_totals b WHERE b.account_id = {account} AND b.number {below}
    ORDER BY b.number DESC LIMIT 1
) b ON true
"""
_ADDED = {name: f"coalesce(b.{name}, 0) + x.{name}" for name in NAMES}

_KEEP = f"""
INSERT INTO ledger_totals (account_id, number, {", ".join(NAMES)})
SELECT k.account, k.number, {", ".join(_ADDED.values())}
FROM unnest(CAST(:accounts AS bigint[]), CAST(:numbers AS bigint[])) AS k(account, number)
{_BEFORE.format(account="k.account", below="< k.number")}
CROSS JOIN LATERAL ({_sums("k.account", "coalesce(b.number, 0)", "k.number")}) x
ON CONFLICT DO NOTHING
"""

# Counts the entries before each moment bit by bit, as ``statement`` does, from a bit above the
# number of the newest entry.
_TOTALS = f"""
WITH RECURSIVE mine AS (
    SELECT id, unit_id, last_number FROM ledger_accounts
    WHERE owner_id = ANY(ARRAY[CAST(:owner AS uuid)] || ARRAY(
              SELECT id FROM people WHERE merged_into_id = :owner))
      AND unit_id = ANY(CAST(:units AS int[]))
      AND purpose = ANY(CAST(:purposes AS text[])) AND last_number > 0
), climb AS (
    SELECT m.id AS account, b.moment, CAST(0 AS bigint) AS number,
           CAST(2 ^ ceil(log(2, m.last_number + 1)) AS bigint) AS bit
    FROM mine m, unnest(CAST(:moments AS timestamptz[])) AS b(moment)
    UNION ALL
    SELECT c.account, c.moment,
           c.number + CASE WHEN EXISTS (
               SELECT 1 FROM ledger_transfers t
               WHERE t.to_account_id = c.account AND t.to_number = c.number + c.bit
                 AND t.created_at < c.moment
           ) OR EXISTS (
               SELECT 1 FROM ledger_transfers t
               WHERE t.from_account_id = c.account AND t.from_number = c.number + c.bit
                 AND t.created_at < c.moment
           ) THEN c.bit ELSE 0 END,
           c.bit / 2
    FROM climb c WHERE c.bit > 0
), ends AS (
    SELECT account, moment, number FROM climb WHERE bit = 0
    UNION ALL SELECT id, NULL, last_number FROM mine
)
SELECT m.unit_id, e.moment,
       {", ".join(f"CAST(sum({added}) AS bigint) AS {name}" for name, added in _ADDED.items())}
FROM ends e JOIN mine m ON m.id = e.account
{_BEFORE.format(account="e.account", below="<= e.number")}
CROSS JOIN LATERAL ({_sums("e.account", "coalesce(b.number, 0)", "e.number")}) x
GROUP BY m.unit_id, e.moment
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """Amounts that a person earned, spent, let expire, and that were deducted."""

    earned: int = 0
    spent: int = 0
    expired: int = 0
    deducted: int = 0

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, name) - getattr(other, name) for name in NAMES))


async def keep(session: Session, accounts: Sequence[int], numbers: Sequence[int]) -> None:
    """Write what the entries of locked accounts up to these numbers sum to."""
    await session.fetch(_KEEP, {"accounts": list(accounts), "numbers": list(numbers)})


async def before(
    session: Session, owner: UUID, units: Sequence[int], moments: Sequence[datetime]
) -> dict[tuple[int, datetime | None], Totals]:
    """Sum what a person had before each moment, by (unit, moment); None: until now.

    With what accounts had that were merged into the person's: ``merge`` transfers do not count.
    """
    wanted = {"owner": owner, "units": list(units), "moments": list(moments)}
    rows = await session.fetch(_TOTALS, wanted | {"purposes": list(COUNTED)})
    return {
        (row.unit_id, row.moment): Totals(*(getattr(row, name) for name in NAMES)) for row in rows
    }


WRONG = f"""
SELECT 'account ' || k.account_id || ' number ' || k.number AS subject,
       concat_ws(' ', {", ".join(_ADDED.values())}) AS expected,
       concat_ws(' ', {", ".join(f"k.{name}" for name in NAMES)}) AS found
FROM ledger_totals k
{_BEFORE.format(account="k.account_id", below="< k.number")}
CROSS JOIN LATERAL ({_sums("k.account_id", "coalesce(b.number, 0)", "k.number")}) x
WHERE ({", ".join(f"k.{name}" for name in NAMES)}) IS DISTINCT FROM ({", ".join(_ADDED.values())})
   OR NOT EXISTS (SELECT FROM ledger_accounts a
                  WHERE a.id = k.account_id AND a.last_number >= k.number)
"""
