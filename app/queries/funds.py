"""SQL of funds: receipts, awards that wait for money, and the public figures."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Row, Session
from app.models.awards import Award, AwardState

FIGURES = (
    *("issued", "available", "pending", "held", "spent", "expired", "reversed"),
    *("received", "returned"),
)

_WAITING = """
SELECT a.org_id, a.unit_id, o.path AS org_path, min(a.awarded_at) AS since
FROM awards a JOIN orgs o ON o.id = a.org_id
WHERE a.state = 'pending_budget'
GROUP BY a.org_id, a.unit_id, o.path ORDER BY since
"""

_PAY = """
UPDATE awards a SET state = k.state
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[])) AS k(id, state) WHERE a.id = k.id
"""

# Every transfer of a month, by what it did to points of which issuer. A lot knows who issued
# it; what a lot lost, and what came back to it or into a lot of its own, is its issuer's.
_MONTH = """
WITH moved AS MATERIALIZED (
    SELECT t.id, t.kind, t.unit_id, t.org_id, t.amount, t.closes_id,
           p.purpose AS from_purpose, q.purpose AS to_purpose, q.owner_id AS to_owner
    FROM ledger_transfers t
    JOIN ledger_accounts p ON p.id = t.from_account_id
    JOIN ledger_accounts q ON q.id = t.to_account_id
    WHERE t.created_at >= :since AND t.created_at < :until AND t.unit_id <> :hours
), effects AS (
    SELECT org_id, unit_id, 'issued' AS figure, amount AS points FROM moved WHERE kind = 'award'
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
    JOIN (VALUES ('hold', 'held'), ('unhold', 'held'), ('charge', 'spent'), ('refund', 'spent'),
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
    SELECT to_owner, unit_id, 'returned', amount FROM moved
    WHERE kind = 'collect' AND to_purpose IN ('fund', 'budget')
)
SELECT e.org_id, e.unit_id, e.figure, CAST(sum(e.points) AS bigint) AS points
FROM effects e JOIN orgs o ON o.id = e.org_id
GROUP BY e.org_id, e.unit_id, e.figure
"""

_SUMS = ", ".join(FIGURES)
# On top of the newest row before; a row that is closed stays as it is.
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

_FIRST_UNCLOSED = """
SELECT coalesce(
    (SELECT CAST(max(month) + INTERVAL '1 month' AS date) FROM fund_months
     WHERE closed_at IS NOT NULL),
    (SELECT CAST(date_trunc('month', created_at AT TIME ZONE 'Asia/Shanghai') AS date)
     FROM ledger_transfers ORDER BY id LIMIT 1)
) AS month
"""

# For each issuer of the subtree its newest row up to the month. Months are closed in turn, for
# everybody at once: an issuer for whom nothing moved has no row of its own.
_PUBLIC = f"""
SELECT {", ".join(f"CAST(coalesce(sum(m.{name}), 0) AS bigint) AS {name}" for name in FIGURES)},
       max(m.as_of) AS as_of,
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


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fund that owes awards, the longest waiting first."""

    org_id: UUID
    unit_id: int
    org_path: str
    since: datetime


async def waiting(session: Session) -> list[Waiting]:
    return [Waiting(**row) for row in await session.fetch(_WAITING, {})]


async def lock_waiting(session: Session, org: UUID, unit: int, limit: int) -> list[Award]:
    """Lock the awards that a fund owes, oldest first. Who comes second waits for the first."""
    query = (
        select(Award)
        .where(Award.org_id == org, Award.unit_id == unit)
        .where(Award.state == AwardState.pending_budget)
        .order_by(col(Award.awarded_at), col(Award.id))
        .limit(limit)
        .with_for_update()
    )
    return list(await session.exec(query))


async def pay(session: Session, states: dict[UUID, AwardState]) -> None:
    """Move locked awards on to the states in which they go on."""
    await session.fetch(_PAY, {"ids": list(states), "states": list(states.values())})


async def first_unclosed(session: Session) -> date | None:
    """Return the first month that is not closed; None before the first transfer ever."""
    month: date | None = (await session.fetch(_FIRST_UNCLOSED, {}))[0].month
    return month


async def month_of_transfers(
    session: Session, since: datetime, until: datetime, *, hours: int
) -> dict[tuple[UUID, int], dict[str, int]]:
    """Sum what the transfers of a time did to the figures, by issuer and unit."""
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
    """Write the month's rows anew, on top of the months before."""
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
