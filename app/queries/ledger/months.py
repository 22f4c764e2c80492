# ruff: noqa: S608 - every piece of SQL here is a constant of this file or of funds
"""The check of the newest closed month, which no seal covers until the night after.

Older months are under the seals (``sealed_facts``). Each row has sums since the beginning, so a
change of an older month is also told here, as a difference to the newest.
"""

from app.queries.funds import FIGURES, changes
from app.queries.ledger.checking import Check

_NEWEST = "(SELECT max(month) FROM fund_months WHERE closed_at IS NOT NULL)"
# Both are NULL while no month is closed: no transfer is read into the sums.
# A date would become a time of the session's zone before the zone is applied.
_CHANGES = changes(
    f"(CAST({_NEWEST} AS timestamp) AT TIME ZONE 'Asia/Shanghai')",
    f"(({_NEWEST} + INTERVAL '1 month') AT TIME ZONE 'Asia/Shanghai')",
    "2",
)
_VALUES = ", ".join(f"('{name}', f.{name} - coalesce(b.{name}, 0))" for name in FIGURES)

MONTH_CHECKS = (
    Check(
        "closed months: the newest is the one before and what the ledger moved",
        f"""
        SELECT 'closed month ' || coalesce(f.org_id, s.org_id) || ' '
                   || coalesce(f.unit_id, s.unit_id) || ' ' || {_NEWEST} AS subject,
               s.figure || ' ' || s.points AS expected, f.figure || ' ' || f.points AS found
        FROM (
            SELECT f.org_id, f.unit_id, x.figure, x.points
            FROM fund_months f
            LEFT JOIN LATERAL (
                SELECT * FROM fund_months b
                WHERE b.org_id = f.org_id AND b.unit_id = f.unit_id AND b.month < f.month
                ORDER BY b.month DESC LIMIT 1
            ) b ON true
            CROSS JOIN LATERAL (VALUES {_VALUES}) AS x(figure, points)
            WHERE f.month = {_NEWEST}
        ) f
        FULL JOIN ({_CHANGES}) s
          ON s.org_id = f.org_id AND s.unit_id = f.unit_id AND s.figure = f.figure
        WHERE f.points IS DISTINCT FROM coalesce(s.points, 0)
        """,
    ),
)
