"""SQL of statements: which entries a period has, and what they say."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Row, Session
from app.models.ledger import Purpose

# No passbook has twice as many entries.
_HIGHEST_BIT = 2**40

# How many entries come before a moment: for each of the two, a number is made bit by bit, the
# highest first, and each bit looks at one entry. There is no index by time, and it takes 41
# looks however long the passbook is.
#
# Around midnight the times of two entries can stand in another order than their numbers: two
# processes, two clocks. Even then the answer stays the same as the passbook grows, for no bit
# depends on how long it is, and none is lower for a later moment: so periods neither overlap
# nor leave an entry out.
_SPAN = """
WITH RECURSIVE climb AS (
    SELECT a.id AS account, b.moment, CAST(0 AS bigint) AS number, CAST(:bit AS bigint) AS bit
    FROM ledger_accounts a,
         unnest(CAST(:bounds AS timestamptz[])) AS b(moment)
    WHERE a.owner_id = :owner AND a.purpose = :purpose AND a.unit_id = :unit
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
)
SELECT c.account, c.number, coalesce((
    SELECT t.to_balance FROM ledger_transfers t
    WHERE t.to_account_id = c.account AND t.to_number = c.number
    UNION ALL
    SELECT t.from_balance FROM ledger_transfers t
    WHERE t.from_account_id = c.account AND t.from_number = c.number
), 0) AS balance
FROM climb c WHERE c.bit = 0 ORDER BY c.moment
"""

_ENTRIES = """
SELECT t.id, t.to_number AS number, t.amount AS income, 0 AS outgo, t.to_balance AS balance,
       t.kind, t.reason, t.created_at
FROM ledger_transfers t
WHERE t.to_account_id = :account AND t.to_number BETWEEN :first AND :last
UNION ALL
SELECT t.id, t.from_number, 0, t.amount, t.from_balance, t.kind, t.reason, t.created_at
FROM ledger_transfers t
WHERE t.from_account_id = :account AND t.from_number BETWEEN :first AND :last
ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Span:
    """The entries after number ``before`` up to ``last``, and the balances at both ends."""

    account: int
    before: int
    last: int
    opening: int
    closing: int


async def span(
    session: Session, owner: UUID, purpose: Purpose, unit: int, since: datetime, until: datetime
) -> Span | None:
    """Find what a person's account has from a moment on and before another; None without one."""
    assert since < until
    rows = await session.fetch(
        _SPAN,
        {
            "owner": owner,
            "purpose": purpose,
            "unit": unit,
            "bounds": [since, until],
            "bit": _HIGHEST_BIT,
        },
    )
    if not rows:
        return None
    start, end = rows
    return Span(start.account, start.number, end.number, start.balance, end.balance)


async def entries(session: Session, account: int, first: int, last: int) -> list[Row]:
    """Read the entries of some numbers, oldest first."""
    return await session.fetch(_ENTRIES, {"account": account, "first": first, "last": last})
