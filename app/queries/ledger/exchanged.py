"""Checks of exchanges between programmes, with their agreements and the clearing accounts."""

from app.queries.ledger.checking import Check

EXCHANGE_CHECKS = (
    Check(
        "exchanges: each moved its points into clearing, and others out of it, of one person",
        """
        SELECT concat_ws(' ', coalesce(l.leg, t.leg), 'leg of exchange', coalesce(l.id, t.id))
                   AS subject,
               concat_ws(' ', l.amount, 'in unit', l.unit_id, 'of', l.payer, 'to', l.payee, 'at',
                         l.at) AS expected,
               concat_ws(' ', t.amount, 'in unit', t.unit_id, 'of', t.payer, 'to', t.payee, 'at',
                         t.at) AS found
        FROM (
            SELECT id, 'first' AS leg, CAST(points AS bigint) AS amount, unit_id,
                   created_by AS payer, org_id AS payee, created_at AS at FROM exchanges
            UNION ALL
            SELECT id, 'second', received, to_unit_id, to_org_id, created_by, created_at
            FROM exchanges
        ) l
        FULL JOIN (
            SELECT t.source_id AS id, CASE WHEN q.purpose = 'clearing' THEN 'first' ELSE 'second'
                   END AS leg, t.amount, t.unit_id, p.owner_id AS payer, q.owner_id AS payee,
                   t.created_at AS at
            FROM ledger_transfers t
            JOIN ledger_accounts p ON p.id = t.from_account_id
            JOIN ledger_accounts q ON q.id = t.to_account_id
            WHERE t.kind = 'exchange'
        ) t ON t.id = l.id AND t.leg = l.leg
        WHERE (l.amount, l.unit_id, l.payer, l.payee, l.at)
              IS DISTINCT FROM (t.amount, t.unit_id, t.payer, t.payee, t.at)
        """,
    ),
    Check(
        # As many points as are received are the most that those given are worth, and as many are
        # given as it takes at least.
        "exchanges: each is at the rate of its agreement, between its parties and in its time",
        """
        SELECT 'exchange ' || x.id AS subject,
               concat_ws(' ', a.rate, 'to', a.to_rate, 'by agreement', a.id, a.state) AS expected,
               concat_ws(' ', x.points, 'of', x.org_id, 'in', x.unit_id, 'to', x.received, 'of',
                         x.to_org_id, 'in', x.to_unit_id, 'at', x.created_at) AS found
        FROM exchanges x
        LEFT JOIN (
            SELECT id, state, org_id, unit_id, other_org_id AS to_org_id,
                   other_unit_id AS to_unit_id, CAST(rate_points AS bigint) AS rate,
                   CAST(other_rate_points AS bigint) AS to_rate, starts_at, ends_at, decided_at,
                   ended_at
            FROM exchange_agreements
            UNION ALL
            SELECT id, state, other_org_id, other_unit_id, org_id, unit_id, other_rate_points,
                   rate_points, starts_at, ends_at, decided_at, ended_at
            FROM exchange_agreements
        ) a ON a.id = x.agreement_id AND (a.org_id, a.unit_id, a.to_org_id, a.to_unit_id)
               = (x.org_id, x.unit_id, x.to_org_id, x.to_unit_id)
        WHERE a.id IS NULL OR a.state NOT IN ('agreed', 'ended') OR a.decided_at IS NULL
           OR x.received <> x.points * a.to_rate / a.rate
           OR x.points <> (x.received * a.rate + a.to_rate - 1) / a.to_rate
           OR x.created_at < greatest(a.starts_at, a.decided_at)
           OR x.created_at >= least(a.ends_at, coalesce(a.ended_at, a.ends_at))
        """,
    ),
    Check(
        "exchanges: positions are the sums of the exchanges, and those of clearing accounts",
        """
        SELECT concat_ws(' ', 'agreement', a.id, 'of', a.org_id) AS subject,
               coalesce(sum(CASE WHEN x.org_id = a.org_id THEN x.points ELSE -x.received END), 0)
                   AS expected,
               a.position AS found
        FROM (
            SELECT id, org_id, position FROM exchange_agreements
            UNION ALL SELECT id, other_org_id, other_position FROM exchange_agreements
        ) a
        LEFT JOIN exchanges x ON x.agreement_id = a.id
        GROUP BY a.id, a.org_id, a.position
        HAVING a.position <> coalesce(
            sum(CASE WHEN x.org_id = a.org_id THEN x.points ELSE -x.received END), 0)
        UNION ALL
        SELECT concat_ws(' ', 'clearing of', coalesce(c.owner_id, a.org_id), 'in unit',
                         coalesce(c.unit_id, a.unit_id)),
               coalesce(a.position, 0), coalesce(c.balance, 0)
        FROM (
            SELECT org_id, unit_id, sum(position) AS position FROM (
                SELECT org_id, unit_id, position FROM exchange_agreements
                UNION ALL SELECT other_org_id, other_unit_id, other_position
                FROM exchange_agreements
            ) s GROUP BY 1, 2
        ) a
        FULL JOIN (SELECT * FROM ledger_accounts WHERE purpose = 'clearing') c
          ON c.owner_id = a.org_id AND c.unit_id = a.unit_id
        WHERE coalesce(a.position, 0) <> coalesce(c.balance, 0)
        """,
    ),
)
