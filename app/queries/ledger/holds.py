"""SQL of holds: overdue ones, writing their begins and ends, and checks of the open ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.queries.ledger.checking import Check


@dataclass(frozen=True, slots=True)
class NewHold:
    """A hold to insert; ``account_id`` is the account that the points came from."""

    transfer_id: UUID
    account_id: int
    held_until: datetime
    reason: str
    revived_for: timedelta


@dataclass(frozen=True, slots=True)
class OverdueHold:
    """An open hold past its end, with columns of its transfer."""

    transfer_id: UUID
    account_id: int
    reason: str
    revived_for: timedelta
    amount: int
    source_type: str
    source_id: UUID
    org_id: UUID


_OVERDUE = """
SELECT h.transfer_id, h.account_id, h.reason, h.revived_for, t.amount, t.source_type, t.source_id,
       t.org_id
FROM ledger_holds h JOIN ledger_transfers t ON t.id = h.transfer_id
WHERE h.account_id = ANY(CAST(:accounts AS bigint[])) AND h.is_open AND h.held_until <= :at
ORDER BY h.held_until, h.transfer_id
"""

# The final update does not see the rows that the CTEs write: it excludes the holds that end and
# adds those that begin.
_WRITE = """
WITH ended AS (
    UPDATE ledger_holds SET is_open = false
    WHERE transfer_id = ANY(CAST(:ended AS uuid[])) AND is_open
    RETURNING account_id
), made AS (
    INSERT INTO ledger_holds (transfer_id, account_id, held_until, reason, revived_for)
    SELECT * FROM unnest(CAST(:transfer_id AS uuid[]), CAST(:account_id AS bigint[]),
        CAST(:held_until AS timestamptz[]), CAST(:reason AS text[]),
        CAST(:revived_for AS interval[]))
    RETURNING account_id, held_until
)
UPDATE ledger_accounts a SET holds_until = (
    SELECT min(held_until) FROM (
        SELECT held_until FROM ledger_holds
        WHERE account_id = a.id AND is_open AND transfer_id <> ALL(CAST(:ended AS uuid[]))
        UNION ALL
        SELECT held_until FROM made WHERE account_id = a.id
    ) open
)
WHERE a.id IN (SELECT account_id FROM ended UNION ALL SELECT account_id FROM made)
"""

HOLD_CHECKS = (
    Check(
        "holds: the open ones are those that no transfer has settled",
        """
        SELECT 'transfer ' || coalesce(t.id, h.transfer_id) AS subject,
               'open hold of account ' || t.from_account_id AS expected,
               'open hold of account ' || h.account_id AS found
        FROM (
            SELECT o.id, o.from_account_id
            FROM ledger_transfers o LEFT JOIN ledger_transfers s ON s.closes_id = o.id
            WHERE o.kind = 'hold' AND s.id IS NULL
        ) t
        FULL JOIN (SELECT * FROM ledger_holds WHERE is_open) h ON h.transfer_id = t.id
        WHERE h.account_id IS DISTINCT FROM t.from_account_id
        """,
    ),
    Check(
        "holds: the open ones sum to the balance of the account",
        """
        SELECT 'account ' || a.id AS subject, coalesce(h.amount, 0) AS expected,
               a.balance AS found
        FROM ledger_accounts a
        LEFT JOIN (
            SELECT t.to_account_id, sum(t.amount) AS amount
            FROM ledger_holds o JOIN ledger_transfers t ON t.id = o.transfer_id
            WHERE o.is_open GROUP BY 1
        ) h ON h.to_account_id = a.id
        WHERE coalesce(h.amount, 0) <> CASE WHEN a.purpose = 'held' THEN a.balance ELSE 0 END
        """,
    ),
    Check(
        "holds: an account names the first end of those of its points",
        """
        SELECT 'account ' || a.id AS subject, h.first AS expected, a.holds_until AS found
        FROM ledger_accounts a
        LEFT JOIN (
            SELECT account_id, min(held_until) AS first FROM ledger_holds WHERE is_open GROUP BY 1
        ) h ON h.account_id = a.id
        WHERE a.holds_until IS DISTINCT FROM h.first
        """,
    ),
    Check(
        "holds: each reservation is held until its end",
        """
        SELECT 'redemption ' || r.id AS subject, r.expires_at AS expected, h.held_until AS found
        FROM redemptions r JOIN ledger_holds h ON h.transfer_id = r.id
        WHERE h.held_until <> r.expires_at
        """,
    ),
    Check(
        "holds: each charge that its payer must confirm is held until its end, and those alone",
        """
        SELECT 'charge ' || coalesce(c.id, h.source_id) AS subject, c.expires_at AS expected,
               h.held_until AS found
        FROM (SELECT id, expires_at FROM charges WHERE expires_at IS NOT NULL) c
        FULL JOIN (
            SELECT t.source_id, h.transfer_id, h.held_until
            FROM ledger_holds h JOIN ledger_transfers t ON t.id = h.transfer_id
            WHERE t.source_type = 'charge'
        ) h ON h.transfer_id = c.id
        WHERE h.held_until IS DISTINCT FROM c.expires_at
        """,
    ),
)


async def overdue(session: Session, accounts: Sequence[int], at: datetime) -> list[OverdueHold]:
    """Read the open holds of accounts that are past their end, longest overdue first."""
    rows = await session.fetch(_OVERDUE, {"accounts": list(accounts), "at": at})
    return [OverdueHold(**row) for row in rows]


async def write(session: Session, made: Sequence[NewHold], ended: Sequence[UUID]) -> None:
    """Write holds that begin and holds that end; the accounts of their points are locked."""
    columns = {
        name: [getattr(hold, name) for hold in made] for name in NewHold.__dataclass_fields__
    }
    await session.fetch(_WRITE, columns | {"ended": list(ended)})
