"""SQL of statements: the span of a period in the passbook, and its entries."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Row, Session
from app.models.ledger import Purpose

# Highest bit of the number of entries of a passbook; far above any real number.
_HIGHEST_BIT = 2**40

# Counts the entries before each of the two moments, as a number that is built bit by bit from the
# highest; each bit reads one entry. There is no index by time, and 41 reads suffice for a passbook
# of any length.
#
# Around midnight the times of two entries may be in another order than their numbers, as two
# processes have two clocks. Even then the result stays the same when the passbook grows, because no
# bit depends on its length, and no result is lower for a later moment: so periods neither overlap
# nor omit an entry.
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
    """Find the span of a person's account in a period; None without an account."""
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
    """Read the entries with the numbers ``first`` to ``last``, oldest first."""
    return await session.fetch(_ENTRIES, {"account": account, "first": first, "last": last})
