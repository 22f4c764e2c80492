"""Checks of rewards, merchants and what was redeemed or charged at them."""

from app.queries.ledger.checking import Check

GOODS_CHECKS = (
    Check(
        "stocks: what is left is what there was and came, less what is reserved and collected",
        """
        SELECT 'stock of reward ' || r.id || ' from ' || coalesce(s.period_start, t.period_start)
                   AS subject,
               coalesce(s.opened_with, r.stock) + coalesce(m.moved, 0) - coalesce(t.taken, 0)
                   AS expected,
               s.remaining AS found
        FROM reward_stocks s
        FULL JOIN (
            SELECT reward_id, stock_period_start AS period_start, sum(quantity) AS taken
            FROM redemptions WHERE status IN ('reserved', 'collected') AND undone_at IS NULL
              AND day_id IS NULL
            GROUP BY 1, 2
        ) t ON t.reward_id = s.reward_id AND t.period_start = s.period_start
        LEFT JOIN (
            SELECT reward_id, period_start, sum(quantity) AS moved FROM stock_movements
            GROUP BY 1, 2
        ) m ON m.reward_id = s.reward_id AND m.period_start = s.period_start
        JOIN rewards r ON r.id = coalesce(s.reward_id, t.reward_id)
        WHERE r.stock IS NOT NULL
          AND s.remaining IS DISTINCT FROM
              coalesce(s.opened_with, r.stock) + coalesce(m.moved, 0) - coalesce(t.taken, 0)
        """,
    ),
    Check(
        # Goods, places and prices of a day, and the points that the ledger put aside for an order.
        "redemption days: stocks, places and points are what the orders took",
        """
        SELECT 'item ' || i.id || ' of redemption day ' || i.day_id AS subject,
               i.stock + coalesce(m.moved, 0) - coalesce(t.taken, 0) AS expected,
               i.remaining AS found
        FROM redemption_day_items i
        LEFT JOIN (
            SELECT item_id, sum(quantity) AS moved FROM redemption_day_movements GROUP BY 1
        ) m ON m.item_id = i.id
        LEFT JOIN (
            SELECT day_id, reward_id, sum(quantity) AS taken FROM redemptions
            WHERE day_id IS NOT NULL AND status IN ('reserved', 'collected') AND undone_at IS NULL
            GROUP BY 1, 2
        ) t ON t.day_id = i.day_id AND t.reward_id = i.reward_id
        WHERE i.remaining <> i.stock + coalesce(m.moved, 0) - coalesce(t.taken, 0)
        UNION ALL
        SELECT 'slot ' || s.id || ' of redemption day ' || s.day_id, coalesce(t.people, 0), s.taken
        FROM redemption_day_slots s
        LEFT JOIN (
            SELECT slot_id, count(DISTINCT person_id) AS people FROM redemptions
            WHERE slot_id IS NOT NULL AND status IN ('reserved', 'collected') AND undone_at IS NULL
            GROUP BY 1
        ) t ON t.slot_id = s.id
        WHERE s.taken <> coalesce(t.people, 0)
        UNION ALL
        SELECT 'redemption ' || r.id, i.points * r.quantity, coalesce(h.amount, 0)
        FROM redemptions r
        LEFT JOIN redemption_day_items i ON i.day_id = r.day_id AND i.reward_id = r.reward_id
        LEFT JOIN ledger_transfers h ON h.id = r.id AND h.kind = 'hold'
        WHERE r.day_id IS NOT NULL
          AND i.points * r.quantity IS DISTINCT FROM coalesce(h.amount, 0)
        UNION ALL
        SELECT 'substitution ' || s.id, s.points, n.points
        FROM redemption_substitutions s
        LEFT JOIN redemptions o ON o.id = s.redemption_id AND o.status = 'cancelled'
        LEFT JOIN redemptions n ON n.id = s.replaced_by AND n.points = s.points
             AND n.points <= o.points AND (n.person_id, n.quantity, n.day_id)
                 = (o.person_id, o.quantity, o.day_id)
        WHERE s.state = 'accepted' AND n.id IS NULL
        UNION ALL
        SELECT 'redemption day ' || d.id, sum(abs(i.counted - i.remaining)), 0
        FROM redemption_days d
        JOIN redemption_day_items i ON i.day_id = d.id
        WHERE d.state = 'closed'
        GROUP BY d.id
        HAVING sum(abs(i.counted - i.remaining)) IS DISTINCT FROM 0
        """,
    ),
    Check(
        "redemptions: each is at the merchant of its reward, whose till or fund collected it",
        """
        SELECT 'redemption ' || r.id AS subject,
               concat_ws(' ', 'at', w.merchant_id, 'by', w.org_id, 'into', q.purpose, 'of',
                         q.owner_id) AS expected,
               concat_ws(' ', 'at', r.merchant_id, 'by', h.org_id, 'a', m.kind, 'of', m.org_id)
                   AS found
        FROM redemptions r
        JOIN rewards w ON w.id = r.reward_id
        JOIN merchants m ON m.id = r.merchant_id
        JOIN ledger_transfers h ON h.id = r.id
        LEFT JOIN ledger_transfers t ON t.closes_id = r.id AND t.kind = 'collect'
        LEFT JOIN ledger_accounts q ON q.id = t.to_account_id
        WHERE r.merchant_id <> w.merchant_id OR h.org_id <> w.org_id
           OR q.owner_id <> CASE m.kind WHEN 'shop' THEN m.id ELSE m.org_id END
           OR (q.purpose = 'takings') <> (m.kind = 'shop')
        """,
    ),
    Check(
        "vouchers: each code is of one collected redemption, which has one for each piece",
        """
        SELECT 'redemption ' || r.id AS subject,
               concat_ws(' ', r.quantity, 'of', r.reward_id, 'collected at', r.settled_at)
                   AS expected,
               concat_ws(' ', coalesce(v.codes, 0), 'of', v.reward, 'at', v.at, r.status) AS found
        FROM redemptions r
        JOIN rewards w ON w.id = r.reward_id
        LEFT JOIN (
            SELECT redemption_id, count(*) AS codes,
                   string_agg(DISTINCT CAST(reward_id AS text), ' ') AS reward,
                   max(handed_out_at) AS at
            FROM voucher_codes WHERE redemption_id IS NOT NULL GROUP BY 1
        ) v ON v.redemption_id = r.id
        WHERE CASE WHEN v.codes IS NULL THEN w.coded_at < r.created_at
                   ELSE (v.codes, v.reward, v.at, 'collected', NULL) IS DISTINCT FROM
                        (r.quantity, CAST(r.reward_id AS text), r.settled_at, r.status,
                         r.undone_at)
              END
        """,
    ),
    Check(
        # Or one that shares the merchant, by the agreement that was in force. A refund is by the
        # organisation of the charge.
        "charges: each was charged and refunded by the organisation of its merchant",
        """
        SELECT 'charge ' || c.id AS subject, coalesce(f.org_id, m.org_id) AS expected,
               t.org_id AS found
        FROM charges c
        JOIN merchants m ON m.id = c.merchant_id
        JOIN ledger_transfers t ON t.source_id = c.id AND t.source_type = 'charge'
        LEFT JOIN ledger_transfers f ON f.id = c.id AND t.id <> c.id
        WHERE t.org_id <> coalesce(f.org_id, m.org_id)
          AND (f.id IS NOT NULL OR NOT EXISTS (
              SELECT FROM agreements a
              WHERE (a.merchant_id, a.org_id) = (c.merchant_id, t.org_id)
                AND a.state IN ('active', 'ended')
                AND daterange(a.since, a.until, '[]')
                    @> CAST(timezone('Asia/Shanghai', c.created_at) AS date)))
        """,
    ),
    Check(
        "charges: each that its payer confirmed went to its merchant in time, the others back",
        """
        SELECT 'charge ' || c.id AS subject,
               concat_ws(' ', c.status, 'to', c.merchant_id, 'at', c.settled_at, 'until',
                         c.expires_at) AS expected,
               concat_ws(' ', t.kind, t.amount, 'to', q.owner_id, 'at', t.created_at) AS found
        FROM charges c
        LEFT JOIN ledger_transfers t ON t.closes_id = c.id
        LEFT JOIN ledger_accounts q ON q.id = t.to_account_id
        WHERE c.expires_at IS NOT NULL AND CASE
            WHEN c.status = 'waiting' THEN t.kind = 'collect'
            WHEN c.status IN ('charged', 'refunded') THEN
                (t.kind, t.amount, t.created_at, q.owner_id) IS DISTINCT FROM
                ('collect', c.points, c.settled_at, c.merchant_id)
                OR c.settled_at >= c.expires_at
            ELSE (t.kind, t.amount, q.owner_id) IS DISTINCT FROM
                 ('unhold', c.points, c.person_id) OR t.created_at > c.settled_at
        END
        """,
    ),
    Check(
        # The refund that settles a charge is of what its parts have left.
        "refunds: each went from the merchant to who was charged, a part or the rest",
        """
        SELECT 'refund of charge ' || coalesce(f.charge_id, t.source_id) AS subject,
               concat_ws(' ', f.points, 'of', f.merchant_id, 'to', f.person_id, 'at', f.at)
                   AS expected,
               concat_ws(' ', t.amount, 'of', t.payer, 'to', t.payee, 'at', t.at) AS found
        FROM (
            SELECT id, charge_id, points, merchant_id, person_id, created_at AS at
            FROM charge_refunds
            UNION ALL
            SELECT c.id, c.id, c.points - coalesce(p.points, 0), c.merchant_id, c.person_id, NULL
            FROM charges c
            LEFT JOIN (SELECT charge_id, sum(points) AS points FROM charge_refunds GROUP BY 1) p
              ON p.charge_id = c.id
            WHERE c.status = 'refunded'
        ) f
        FULL JOIN (
            SELECT CASE WHEN t.closes_id IS NULL THEN t.id ELSE t.source_id END AS id,
                   t.source_id, t.amount, p.owner_id AS payer,
                   q.owner_id AS payee, CASE WHEN t.closes_id IS NULL THEN t.created_at END AS at
            FROM ledger_transfers t
            JOIN ledger_accounts p ON p.id = t.from_account_id
            JOIN ledger_accounts q ON q.id = t.to_account_id
            WHERE t.kind = 'refund' AND t.source_type = 'charge'
        ) t ON t.id = f.id
        WHERE (f.charge_id, f.points, f.merchant_id, f.person_id, f.at)
              IS DISTINCT FROM (t.source_id, t.amount, t.payer, t.payee, t.at)
        """,
    ),
    Check(
        "redemptions: each undone collection went back, and another reservation holds the same",
        """
        SELECT 'redemption ' || u.id AS subject,
               concat_ws(' ', r.points, 'to account', h.from_account_id, 'at', r.undone_at)
                   AS expected,
               concat_ws(' ', t.amount, 'to account', t.to_account_id, 'at', t.created_at,
                         'replaced by', n.id, 'at', n.created_at) AS found
        FROM (
            SELECT id FROM redemptions WHERE undone_at IS NOT NULL
            UNION SELECT replaces_id FROM redemptions WHERE replaces_id IS NOT NULL
            UNION SELECT source_id FROM ledger_transfers
                  WHERE kind = 'refund' AND source_type = 'redemption'
        ) u
        LEFT JOIN redemptions r ON r.id = u.id
        LEFT JOIN redemptions n ON n.replaces_id = u.id
        LEFT JOIN ledger_transfers h ON h.id = u.id
        LEFT JOIN ledger_transfers t
          ON t.source_id = u.id AND t.kind = 'refund' AND t.source_type = 'redemption'
        WHERE (r.points, h.from_account_id, r.undone_at, r.undone_at)
              IS DISTINCT FROM (t.amount, t.to_account_id, t.created_at, n.created_at)
           OR (r.person_id, r.reward_id, r.quantity, r.points, r.unit_id, r.stock_period_start)
              IS DISTINCT FROM
              (n.person_id, n.reward_id, n.quantity, n.points, n.unit_id, n.stock_period_start)
        """,
    ),
)
