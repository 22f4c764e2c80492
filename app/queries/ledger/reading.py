# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""SQL of reads: balances, passbook pages, totals, and points that will expire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import literal_column
from sqlmodel import col, func, select

from app.core.db import Row, Session
from app.models.ledger import Account, Lot, Purpose
from app.queries.ledger.posting import AccountRow

MOST_ENDS = 48  # times of expiry that are listed
# A literal, not a parameter: the partial indexes of lots must fit a generic plan.
HAS_POINTS = col(Lot.remaining) > literal_column("0")

_BALANCES = """
SELECT owner_id, purpose, unit_id, balance, last_number FROM ledger_accounts
WHERE owner_id = ANY(CAST(:owners AS uuid[]))
"""

_ACCOUNTS_OF = """
SELECT id, unit_id, owner_id, purpose, balance, floor, last_number, holds_until
FROM ledger_accounts WHERE owner_id = :owner
"""

# What an entry is about, beside the columns of its transfer t: each is a look at one row.
BY_ATTENDANCE = "'{checkin:,checkout:,correction:}'"  # references of awards, then the activity
_ABOUT = f"""
CASE t.source_type
    WHEN 'award' THEN (
        SELECT CASE WHEN w.reference ^@ ANY({BY_ATTENDANCE}) THEN (
            SELECT a.title FROM activities a
            WHERE a.id = CAST(split_part(w.reference, ':', 2) AS uuid)) ELSE w.title END
        FROM awards w WHERE w.id = t.source_id)
    WHEN 'redemption' THEN (
        SELECT r.name FROM redemptions d JOIN rewards r ON r.id = d.reward_id
        WHERE d.id = t.source_id)
    WHEN 'charge' THEN (
        SELECT m.name FROM charges c JOIN merchants m ON m.id = c.merchant_id
        WHERE c.id = t.source_id)
    WHEN 'deduction' THEN (SELECT d.title FROM deductions d WHERE d.id = t.source_id)
    WHEN 'exchange' THEN (
        SELECT o.name FROM exchanges x
        JOIN orgs o ON o.id = CASE WHEN t.id = x.id THEN x.to_org_id ELSE x.org_id END
        WHERE x.id = t.source_id)
END AS title,
CASE WHEN t.source_type = 'award' THEN (
    SELECT CAST(split_part(w.reference, ':', 2) AS uuid) FROM awards w
    WHERE w.id = t.source_id AND w.reference ^@ ANY({BY_ATTENDANCE}))
END AS activity_id,
CASE t.source_type
    WHEN 'charge' THEN (
        SELECT m.name FROM charges c JOIN merchants m ON m.id = c.merchant_id
        WHERE c.id = t.source_id)
    WHEN 'redemption' THEN (
        SELECT m.name FROM redemptions d JOIN merchants m ON m.id = d.merchant_id
        WHERE d.id = t.source_id)
END AS merchant_name
"""

# Each page reads two ranges of gapless numbers, each by its own index: no more rows than the page
# has. Entries never change, so account, newest number and size identify a page for ever, and a
# caller who sends the tag needs no rows. The tag begins with the version of the JSON below: raise
# it with each change there. A merchant may be renamed: who has a page keeps the name in it.
# PostgreSQL writes the JSON, because building twenty entries as Python objects costs more than the
# rest of the request.
_PASSBOOKS = f"""
WITH pages AS (
    SELECT k.n, a.id, k.size, k.known,
           least(coalesce(k.before - 1, a.last_number), a.last_number) AS newest
    FROM unnest(CAST(:owners AS uuid[]), CAST(:units AS int[]), CAST(:befores AS bigint[]),
                CAST(:sizes AS int[]), CAST(:known AS text[]))
         WITH ORDINALITY AS k(owner_id, unit_id, before, size, known, n)
    JOIN ledger_accounts a
      ON a.owner_id = k.owner_id AND a.purpose = 'available' AND a.unit_id = k.unit_id
), tagged AS (
    SELECT *, '3-' || id || '-' || newest || '-' || size AS tag FROM pages
)
SELECT p.n, p.tag, p.newest, CASE WHEN p.tag IS DISTINCT FROM p.known THEN (
    SELECT coalesce(CAST(json_agg(row_to_json(e) ORDER BY e.number DESC) AS text), '[]') FROM (
        SELECT t.id, t.to_number AS number, 'in' AS direction, t.amount AS points,
               t.to_balance AS balance_after, t.kind, t.reason,
               json_build_object('type', t.source_type, 'id', t.source_id) AS source,
               to_char(t.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
               {_ABOUT}
        FROM ledger_transfers t
        WHERE t.to_account_id = p.id
          AND t.to_number > p.newest - p.size AND t.to_number <= p.newest
        UNION ALL
        SELECT t.id, t.from_number, 'out', t.amount, t.from_balance, t.kind, t.reason,
               json_build_object('type', t.source_type, 'id', t.source_id),
               to_char(t.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               {_ABOUT}
        FROM ledger_transfers t
        WHERE t.from_account_id = p.id
          AND t.from_number > p.newest - p.size AND t.from_number <= p.newest
    ) e) END AS items
FROM tagged p
"""


# Each side is a range of its own numbers, newest first; the two ranges are merged.
_SEARCH = f"""
SELECT t.*, {_ABOUT} FROM (
    (SELECT t.id, t.to_number AS number, 'in' AS direction, t.amount AS points,
            t.to_balance AS balance_after, t.kind, t.reason, t.source_type, t.source_id,
            t.created_at
     FROM ledger_transfers t
     WHERE t.to_account_id = :account AND t.to_number < :before
       AND (CAST(:kinds AS text[]) IS NULL OR t.kind = ANY(CAST(:kinds AS text[])))
       AND (CAST(:since AS timestamptz) IS NULL OR t.created_at >= CAST(:since AS timestamptz))
       AND (CAST(:until AS timestamptz) IS NULL OR t.created_at < CAST(:until AS timestamptz))
     ORDER BY t.to_number DESC LIMIT :limit)
    UNION ALL
    (SELECT t.id, t.from_number, 'out', t.amount, t.from_balance, t.kind, t.reason,
            t.source_type, t.source_id, t.created_at
     FROM ledger_transfers t
     WHERE t.from_account_id = :account AND t.from_number < :before
       AND (CAST(:kinds AS text[]) IS NULL OR t.kind = ANY(CAST(:kinds AS text[])))
       AND (CAST(:since AS timestamptz) IS NULL OR t.created_at >= CAST(:since AS timestamptz))
       AND (CAST(:until AS timestamptz) IS NULL OR t.created_at < CAST(:until AS timestamptz))
     ORDER BY t.from_number DESC LIMIT :limit)
) t ORDER BY t.number DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class PageRow:
    """``newest`` is the highest number on the page; ``items`` is JSON, None if ``tag`` is known."""

    tag: str
    newest: int
    items: str | None


_SPENT = """
SELECT CAST(coalesce(sum(coalesce((SELECT sum(amount) FROM ledger_transfers
                                   WHERE from_account_id = a.id
                                     AND kind IN ('charge', 'hold', 'deduction', 'exchange')), 0)
                       - coalesce((SELECT sum(amount) FROM ledger_transfers
                                   WHERE to_account_id = a.id
                                     AND kind IN ('refund', 'unhold', 'restitution',
                                                  'exchange')), 0)), 0)
            AS bigint) AS points
FROM ledger_accounts a
WHERE a.owner_id = ANY(CAST(:people AS uuid[])) AND a.purpose = 'available' AND a.unit_id = :unit
"""


async def balances(session: Session, owners: Sequence[UUID]) -> dict[tuple[UUID, str, int], int]:
    """Read every balance of the owners, by (owner, purpose, unit)."""
    rows = await session.fetch(_BALANCES, {"owners": list(owners)})
    return {(row.owner_id, row.purpose, row.unit_id): row.balance for row in rows}


async def accounts_of(session: Session, owner: UUID) -> list[AccountRow]:
    """Read all accounts of an owner, without locks."""
    return [AccountRow(**row) for row in await session.fetch(_ACCOUNTS_OF, {"owner": owner})]


async def passbooks(
    session: Session, pages: Sequence[tuple[UUID, int, int | None, int, str | None]]
) -> list[PageRow | None]:
    """Read pages (owner, unit, numbers below, size, known tag); None without an account."""
    owners, units, befores, sizes, known = zip(*pages, strict=True)
    rows = await session.fetch(
        _PASSBOOKS,
        {
            "owners": owners,
            "units": units,
            "befores": befores,
            "sizes": sizes,
            "known": known,
        },
    )
    found = {row.n: PageRow(row.tag, row.newest, row["items"]) for row in rows}
    return [found.get(n) for n in range(1, len(pages) + 1)]


async def search(
    session: Session,
    account: int,
    kinds: Sequence[str] | None,
    since: datetime | None,
    until: datetime | None,
    before: int,
    limit: int,
) -> list[Row]:
    """Read entries by kinds and period, newest first."""
    return await session.fetch(
        _SEARCH,
        {
            "account": account,
            "kinds": list(kinds) if kinds is not None else None,
            "since": since,
            "until": until,
            "before": before,
            "limit": limit,
        },
    )


async def spent(session: Session, people: Sequence[UUID], unit: int) -> int:
    """Sum the points charged, held, deducted or exchanged that did not come back, of a person."""
    wanted = {"people": list(people), "unit": unit}
    return int((await session.fetch(_SPENT, wanted))[0].points)


async def expiring(session: Session, owner: UUID, unit: int) -> dict[datetime, int]:
    """Read the remaining points of a person by time of expiry, past times included."""
    query = (
        select(Lot.expires_at, func.sum(Lot.remaining))
        .join(Account, col(Account.id) == col(Lot.account_id))
        .where(Account.owner_id == owner, Account.unit_id == unit)
        .where(Account.purpose == Purpose.available, HAS_POINTS)
        .group_by(col(Lot.expires_at))
        .order_by(col(Lot.expires_at))
        .limit(MOST_ENDS)
    )
    return {expires_at: int(points) for expires_at, points in await session.exec(query)}
