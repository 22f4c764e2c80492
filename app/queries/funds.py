"""SQL of funds: the public figures."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlmodel import col, select

from app.core.clock import local_date, month_start
from app.core.db import Row, Session
from app.models.funds import FundMonth
from app.models.ledger import Transfer

FIGURES = (
    *("issued", "available", "pending", "held", "spent", "expired", "reversed"),
    *("received", "returned"),
)

# What each transfer of a month changes, by issuer, unit and figure. Points that leave a lot, return
# to it, or come into a lot of their own count for the organisation that issued the lot.
# As SQL: a union of ten selects over one materialized set.
_CHANGES = """
WITH moved AS MATERIALIZED (
    SELECT t.id, t.kind, t.unit_id, t.org_id, t.amount, t.closes_id,
           p.purpose AS from_purpose, q.purpose AS to_purpose, q.owner_id AS to_owner,
           p.owner_id AS from_owner
    FROM ledger_transfers t
    JOIN ledger_accounts p ON p.id = t.from_account_id
    JOIN ledger_accounts q ON q.id = t.to_account_id
    WHERE t.created_at >= {since} AND t.created_at < {until} AND t.unit_id <> {hours}
), effects AS (
    SELECT org_id, unit_id, 'issued' AS figure, amount AS points FROM moved
    WHERE kind = 'award' OR (kind = 'exchange' AND from_purpose = 'clearing')
    UNION ALL
    SELECT org_id, unit_id, 'pending', CASE WHEN to_purpose = 'pending' THEN amount ELSE -amount END
    FROM moved WHERE 'pending' IN (from_purpose, to_purpose)
    UNION ALL
    SELECT org_id, unit_id, 'reversed', amount FROM moved
    WHERE kind = 'reversal' AND from_purpose = 'pending'
    UNION ALL
    SELECT l.org_id, m.unit_id, 'available', l.amount
    FROM moved m JOIN ledger_lots l ON l.transfer_id = m.id
    UNION ALL
    SELECT l.org_id, m.unit_id, 'available', -u.amount
    FROM moved m JOIN ledger_lot_uses u ON u.transfer_id = m.id
    JOIN ledger_lots l ON l.id = u.lot_id
    UNION ALL
    SELECT l.org_id, m.unit_id, f.figure, u.amount
    FROM moved m JOIN ledger_lot_uses u ON u.transfer_id = m.id
    JOIN ledger_lots l ON l.id = u.lot_id
    JOIN (VALUES ('hold', 'held'), ('unhold', 'held'), ('charge', 'spent'), ('exchange', 'spent'),
                 ('refund', 'spent'),
                 ('expiry', 'expired'), ('reversal', 'reversed'), ('repayment', 'reversed'),
                 ('deduction', 'reversed'), ('restitution', 'reversed')) f(kind, figure)
      ON f.kind = m.kind
    UNION ALL
    SELECT l.org_id, m.unit_id, f.figure, -l.amount
    FROM moved m JOIN ledger_lots l ON l.transfer_id = m.id
    JOIN (VALUES ('unhold', 'held'), ('refund', 'spent'), ('restitution', 'reversed'))
      f(kind, figure) ON f.kind = m.kind
    UNION ALL
    SELECT l.org_id, m.unit_id, f.figure, f.sign * u.amount
    FROM moved m JOIN ledger_lot_uses u ON u.transfer_id = m.closes_id
    JOIN ledger_lots l ON l.id = u.lot_id
    CROSS JOIN (VALUES ('held', -1), ('spent', 1)) f(figure, sign)
    WHERE m.kind = 'collect'
    UNION ALL
    SELECT to_owner, unit_id, 'received', amount FROM moved WHERE kind IN ('donation', 'budget')
    UNION ALL
    SELECT from_owner, unit_id, 'received', -amount FROM moved
    WHERE kind = 'reversal' AND to_purpose = 'income'
    UNION ALL
    SELECT to_owner, unit_id, 'returned', amount FROM moved
    WHERE kind = 'collect' AND to_purpose IN ('fund', 'budget')
    UNION ALL
    SELECT from_owner, unit_id, 'returned', -amount FROM moved
    WHERE kind = 'refund' AND from_purpose IN ('fund', 'budget')
)
SELECT e.org_id, e.unit_id, e.figure, CAST(sum(e.points) AS bigint) AS points
FROM effects e JOIN orgs o ON o.id = e.org_id
GROUP BY e.org_id, e.unit_id, e.figure
"""


def changes(since: str, until: str, hours: str) -> str:
    """Return SQL of what the transfers of a period change: (org_id, unit_id, figure, points).

    ``since``, ``until``: SQL of its beginning and end. ``hours``: SQL of the unit of hours.
    """
    return _CHANGES.format(since=since, until=until, hours=hours)


_MONTH = changes(":since", ":until", ":hours")
_SUMS = ", ".join(FIGURES)
# Adds the month to the newest row before it; a closed row is not changed.
_WRITE = f"""
INSERT INTO fund_months AS m (org_id, unit_id, month, {_SUMS}, as_of, closed_at)
SELECT k.org_id, k.unit_id, CAST(:month AS date),
       {", ".join(f"coalesce(b.{name}, 0) + k.{name}" for name in FIGURES)},
       CAST(:as_of AS timestamptz), CAST(:closed_at AS timestamptz)
FROM unnest(CAST(:orgs AS uuid[]), CAST(:units AS int[]),
            {", ".join(f"CAST(:{name} AS bigint[])" for name in FIGURES)})
     AS k(org_id, unit_id, {_SUMS})
LEFT JOIN LATERAL (
    SELECT * FROM fund_months b
    WHERE b.org_id = k.org_id AND b.unit_id = k.unit_id AND b.month < CAST(:month AS date)
    ORDER BY b.month DESC LIMIT 1
) b ON true
ORDER BY k.org_id, k.unit_id
ON CONFLICT (org_id, unit_id, month) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in FIGURES)},
    as_of = excluded.as_of, closed_at = excluded.closed_at
WHERE m.closed_at IS NULL
"""  # noqa: S608 - names of our own columns

# The newest row up to the month of each issuer of the subtree. A month is closed for all issuers
# at once; an issuer without transfers in it has no row of its own, and its figures are those of
# the last time that any issuer's were written.
# As SQL: the lateral reads one row of each issuer; DISTINCT ON would read all their months.
_PUBLIC = f"""
SELECT {", ".join(f"CAST(coalesce(sum(m.{name}), 0) AS bigint) AS {name}" for name in FIGURES)},
       (SELECT max(as_of) FROM fund_months WHERE month <= CAST(:month AS date)) AS as_of,
       (SELECT coalesce(CAST(:month AS date) BETWEEN min(month) AND max(month), false)
        FROM fund_months WHERE closed_at IS NOT NULL) AS is_closed
FROM orgs o
CROSS JOIN LATERAL (
    SELECT * FROM fund_months f
    WHERE f.org_id = o.id AND f.unit_id = :unit AND f.month <= CAST(:month AS date)
    ORDER BY f.month DESC LIMIT 1
) m
WHERE o.path ^@ :path AND (:subtree OR o.path = :path)
"""  # noqa: S608 - names of our own columns


async def first_unclosed(session: Session) -> date | None:
    """Return the first month that is not closed; None if there is no transfer."""
    closed = select(FundMonth).where(col(FundMonth.closed_at).is_not(None))
    newest = (await session.exec(closed.order_by(col(FundMonth.month).desc()).limit(1))).first()
    if newest is not None:
        return local_date(month_start(newest.month.year, newest.month.month, plus=1))
    begun = select(Transfer.created_at).order_by(col(Transfer.id)).limit(1)
    first = (await session.exec(begun)).first()
    return local_date(first).replace(day=1) if first is not None else None


async def month_of_transfers(
    session: Session, since: datetime, until: datetime, *, hours: int
) -> dict[tuple[UUID, int], dict[str, int]]:
    """Sum the changes that the transfers of a period make to the figures, by issuer and unit."""
    rows = await session.fetch(
        _MONTH,
        {
            "since": since,
            "until": until,
            "hours": hours,
        },
    )
    found: dict[tuple[UUID, int], dict[str, int]] = {}
    for row in rows:
        found.setdefault((row.org_id, row.unit_id), {})[row.figure] = row.points
    return found


async def write_month(
    session: Session,
    month: date,
    moved: dict[tuple[UUID, int], dict[str, int]],
    *,
    as_of: datetime,
    closed_at: datetime | None,
) -> None:
    """Write the rows of a month: the totals of the months before plus the sums of this one."""
    columns: dict[str, list[int]] = {
        name: [figures.get(name, 0) for figures in moved.values()] for name in FIGURES
    }
    await session.fetch(
        _WRITE,
        columns
        | {
            "orgs": [org for org, _ in moved],
            "units": [unit for _, unit in moved],
            "month": month,
            "as_of": as_of,
            "closed_at": closed_at,
        },
    )


async def public(session: Session, org_path: str, unit: int, month: date, *, subtree: bool) -> Row:
    """Read the figures of an organisation, or of its whole subtree, at the end of a month."""
    wanted = {"path": org_path, "unit": unit, "month": month, "subtree": subtree}
    return (await session.fetch(_PUBLIC, wanted))[0]


async def months(
    session: Session, org_id: UUID, unit: int, before: date | None, limit: int
) -> Sequence[FundMonth]:
    """Read the months of an organisation that have figures, newest first."""
    query = select(FundMonth).where(FundMonth.org_id == org_id, FundMonth.unit_id == unit)
    if before is not None:
        query = query.where(col(FundMonth.month) < before)
    return (await session.exec(query.order_by(col(FundMonth.month).desc()).limit(limit))).all()
