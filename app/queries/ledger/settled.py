"""Checks of settlements: the sum of all statements is what the ledger moved at merchants."""

from app.queries.ledger.checking import Check

# Each transfer into (+) or out of (-) a merchant's account, in its month of Asia/Shanghai. The
# kind of a line comes from its source: a charge, or else a redemption.
_MOVED = """
SELECT a.id AS account_id, a.owner_id AS merchant_id, a.unit_id, t.org_id,
       CAST(date_trunc('month', timezone('Asia/Shanghai', t.created_at)) AS date) AS month,
       t.source_type = 'charge' AS is_charge, t.points
FROM ledger_accounts a
JOIN (
    SELECT to_account_id AS account_id, org_id, created_at, source_type, amount AS points
    FROM ledger_transfers
    UNION ALL
    SELECT from_account_id, org_id, created_at, source_type, -amount FROM ledger_transfers
) t ON t.account_id = a.id
WHERE a.purpose = 'takings' AND a.owner_id IN (SELECT merchant_id FROM settlements)
"""
_SUMS = """
coalesce(sum(points) FILTER (WHERE is_charge AND points > 0), 0) AS charged,
coalesce(-sum(points) FILTER (WHERE is_charge AND points < 0), 0) AS refunded,
coalesce(sum(points) FILTER (WHERE NOT is_charge AND points > 0), 0) AS collected,
coalesce(-sum(points) FILTER (WHERE NOT is_charge AND points < 0), 0) AS undone
"""
# Without what no settlement has yet, a merchant's account has the closings of its last months.
_ACCOUNTS = """
SELECT 'account of merchant ' || a.owner_id AS subject, CAST(a.balance AS text) AS expected,
       CAST(coalesce(s.closed, 0) + coalesce(m.open, 0) AS text) AS found
FROM ledger_accounts a
JOIN (
    SELECT merchant_id, unit_id, sum(closing) AS closed
    FROM settlements s WHERE NOT EXISTS (
        SELECT FROM settlements l WHERE (l.merchant_id, l.org_id, l.unit_id)
            = (s.merchant_id, s.org_id, s.unit_id) AND l.month > s.month)
    GROUP BY merchant_id, unit_id
) s ON s.merchant_id = a.owner_id AND s.unit_id = a.unit_id
LEFT JOIN (
    SELECT m.account_id, sum(m.points) AS open FROM moved m WHERE NOT EXISTS (
        SELECT FROM settlements l WHERE (l.merchant_id, l.org_id, l.unit_id)
            = (m.merchant_id, m.org_id, m.unit_id) AND l.month >= m.month)
    GROUP BY m.account_id
) m ON m.account_id = a.id
WHERE a.purpose = 'takings' AND a.balance <> coalesce(s.closed, 0) + coalesce(m.open, 0)
"""

SETTLEMENT_CHECKS = (
    Check(
        "settlements: all statements are what the ledger moved at the merchants",
        f"""
        WITH moved AS ({_MOVED}), months AS (
            SELECT merchant_id, org_id, unit_id, month, {_SUMS} FROM moved GROUP BY 1, 2, 3, 4
        )
        SELECT 'settlement ' || s.id AS subject,
               concat_ws(' ', m.charged, m.refunded, m.collected, m.undone, 'after', l.closing)
                   AS expected,
               concat_ws(' ', s.charged, s.refunded, s.collected, s.undone, 'after', s.opening)
                   AS found
        FROM settlements s
        LEFT JOIN months m ON (m.merchant_id, m.org_id, m.unit_id, m.month)
                            = (s.merchant_id, s.org_id, s.unit_id, s.month)
        LEFT JOIN LATERAL (
            SELECT closing FROM settlements p
            WHERE (p.merchant_id, p.org_id, p.unit_id) = (s.merchant_id, s.org_id, s.unit_id)
              AND p.month < s.month
            ORDER BY p.month DESC LIMIT 1
        ) l ON true
        WHERE (coalesce(m.charged, 0), coalesce(m.refunded, 0), coalesce(m.collected, 0),
               coalesce(m.undone, 0), coalesce(l.closing, 0))
              IS DISTINCT FROM (s.charged, s.refunded, s.collected, s.undone, s.opening)
           OR s.closing <> s.opening + s.charged - s.refunded + s.collected - s.undone
        UNION ALL {_ACCOUNTS}
        """,  # noqa: S608 - constants of this file
    ),
    Check(
        # PostgreSQL rounds half a cent away from 0, as the service does.
        "settlements: what is due is what agreements, corrections and the month before make",
        """
        SELECT 'settlement ' || s.id AS subject,
               concat_ws(' ', p.value, c.cents, coalesce(least(l.due_cents, 0), 0), 'of',
                         p.points) AS expected,
               concat_ws(' ', s.value_cents, s.corrected_cents, s.carried_cents, 'of',
                         s.closing - s.opening) AS found
        FROM settlements s
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(least(a.cap_cents, round((q.charged - q.refunded + q.collected
                       - q.undone) * a.cents_per_point * a.subsidy_percent / 100.0))), 0) AS value,
                   coalesce(sum(q.value_cents), 0) AS kept,
                   coalesce(sum(q.charged - q.refunded + q.collected - q.undone), 0) AS points,
                   bool_and(a.id IS NULL OR (a.cents_per_point, a.subsidy_percent, a.cap_cents)
                       IS NOT DISTINCT FROM (q.cents_per_point, q.subsidy_percent, q.cap_cents))
                       AS agreed
            FROM settlement_parts q LEFT JOIN agreements a ON a.id = q.agreement_id
            WHERE q.settlement_id = s.id
        ) p
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(correction_cents), 0) AS cents FROM settlement_disputes
            WHERE corrected_in = s.id
        ) c
        LEFT JOIN LATERAL (
            SELECT due_cents FROM settlements l
            WHERE (l.merchant_id, l.org_id, l.unit_id) = (s.merchant_id, s.org_id, s.unit_id)
              AND l.month < s.month
            ORDER BY l.month DESC LIMIT 1
        ) l ON true
        WHERE (p.value, p.kept, c.cents, coalesce(least(l.due_cents, 0), 0), p.points)
              IS DISTINCT FROM (s.value_cents, s.value_cents, s.corrected_cents, s.carried_cents,
                                s.closing - s.opening)
           OR s.due_cents <> s.value_cents + s.corrected_cents + s.carried_cents
           OR NOT p.agreed
        """,
    ),
)
