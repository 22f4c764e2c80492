# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of the ledger against the awards: points, people, and states."""

from app.models.base import one_of
from app.models.cases import OPEN
from app.queries.ledger.checking import Check, of_one_person

# Conditions on awards a: it has not ended; the points that its transfer moved, with those that went
# back in parts; points are pending; minutes count (with the points or before them); the award has
# ended and its points were not taken back. The last excludes reversed awards whose points were all
# spent or expired and whose person had the maximal debt: there was nothing to take.
STANDS = "a.state NOT IN ('rejected', 'reversed')"
POINTS_POSTED = "(points + points_cut + points_reversed)"
POINTS_PENDING = "state IN ('pending', 'notice')"
MINUTES_COUNT = """
minutes > 0 AND (state = 'available'
                 OR (hours_at_once AND state IN ('pending_budget', 'pending', 'notice')))
"""
NOT_TAKEN_BACK = """
state IN ('rejected', 'reversed') AND EXISTS (SELECT FROM ledger_transfers t WHERE t.id = a.id)
AND NOT EXISTS (
    SELECT FROM ledger_transfers t LEFT JOIN ledger_transfers s ON s.closes_id = t.id
    WHERE t.closes_id = a.id AND (t.kind <> 'release' OR s.id IS NOT NULL)
)
AND points > 0 AND (state = 'rejected' OR 0 < (
    SELECT coalesce(sum(
        l.amount - CASE WHEN l.expires_at <= now() THEN l.remaining ELSE 0 END - coalesce((
            SELECT sum(u.amount) FROM ledger_lot_uses u WHERE u.lot_id = l.id AND u.amount > 0), 0)
    ), a.points)
    FROM ledger_lots l
    WHERE l.transfer_id IN (
        SELECT a.id UNION ALL SELECT t.id FROM ledger_transfers t WHERE t.closes_id = a.id)
))
"""

# Conditions on cases c.
OBJECTS = f"c.kind = 'objection' AND c.{one_of('state', OPEN)}"

# Run if the probe of transfers finds a difference.
PAID_CHECKS = (
    Check(
        "awards: each gave its points, by its organisation, to its person",
        f"""
        SELECT 'award ' || coalesce(a.id, t.id) AS subject,
               a.posted || ' to ' || a.person_id || ' by ' || a.org_id AS expected,
               t.amount || ' to ' || t.owner_id || ' by ' || t.org_id AS found
        FROM (SELECT *, {POINTS_POSTED} AS posted FROM awards
              WHERE {POINTS_POSTED} > 0 AND state <> 'pending_budget') a
        FULL JOIN (SELECT t.id, t.amount, t.org_id, t.unit_id, q.owner_id
                   FROM ledger_transfers t JOIN ledger_accounts q ON q.id = t.to_account_id
                   WHERE t.kind = 'award' AND t.source_type = 'award' AND t.unit_id <> 2) t
          ON t.id = a.id
        WHERE (a.posted, a.person_id, a.org_id, a.unit_id)
              IS DISTINCT FROM (t.amount, t.owner_id, t.org_id, t.unit_id)
          AND NOT (a.state IN ('rejected', 'reversed') AND t.id IS NULL)
        """,
    ),
    Check(
        "awards: the points of each wait, or do not, as its state says",
        f"""
        SELECT 'award ' || coalesce(a.id, t.id) AS subject,
               coalesce(a.state, 'no award') || ', ' || coalesce(a.waiting, 0) || ' pending'
                   AS expected,
               coalesce(t.waiting, 0) || ' pending' AS found
        FROM (SELECT a.id, state, CASE WHEN {POINTS_PENDING} THEN points ELSE 0 END AS waiting
              FROM awards a) a
        FULL JOIN (
            SELECT CASE WHEN q.purpose = 'pending' THEN t.id
                        ELSE coalesce(t.closes_id, t.source_id) END AS id,
                   sum(CASE WHEN q.purpose = 'pending' THEN t.amount ELSE -t.amount END) AS waiting
            FROM ledger_transfers t
            JOIN ledger_accounts p ON p.id = t.from_account_id
            JOIN ledger_accounts q ON q.id = t.to_account_id
            WHERE 'pending' IN (p.purpose, q.purpose) GROUP BY 1
        ) t ON t.id = a.id
        WHERE coalesce(a.waiting, 0) <> coalesce(t.waiting, 0)
        """,
    ),
    Check(
        "awards: the hours of each count, or do not, as its state says",
        f"""
        SELECT 'award ' || coalesce(a.id, t.id) AS subject,
               coalesce(a.state, 'no award') || ', ' || coalesce(a.counted, 0) || ' minutes'
                   AS expected,
               coalesce(t.counted, 0) || ' minutes' AS found
        FROM (SELECT a.id, state, CASE WHEN {MINUTES_COUNT} THEN minutes ELSE 0 END AS counted
              FROM awards a) a
        FULL JOIN (
            SELECT t.source_id AS id,
                   sum(CASE WHEN p.purpose = 'available' THEN -t.amount ELSE t.amount END)
                       AS counted
            FROM ledger_transfers t JOIN ledger_accounts p ON p.id = t.from_account_id
            WHERE t.unit_id = 2 AND t.source_type = 'award' GROUP BY 1
        ) t ON t.id = a.id
        WHERE coalesce(a.counted, 0) <> coalesce(t.counted, 0)
        """,
    ),
    Check(
        "awards: what was rejected or reversed was taken back",
        f"""
        SELECT 'award ' || a.id AS subject, 'taken back' AS expected, a.points AS found
        FROM awards a WHERE {NOT_TAKEN_BACK}
        """,
    ),
)
AWARD_CHECKS = (
    Check(
        "transfers: hours and debts are of an award, and of its person",
        f"""
        SELECT 'transfer ' || t.id AS subject,
               concat_ws(' ', 'minutes', a.minutes, 'of', a.person_id) AS expected,
               concat_ws(' ', 'amount', t.amount, 'of', x.owner_id) AS found
        FROM ledger_transfers t LEFT JOIN awards a ON a.id = t.source_id
        JOIN ledger_accounts x
          ON x.id = CASE WHEN t.kind = 'award' THEN t.to_account_id ELSE t.from_account_id END
        WHERE t.source_type = 'award'
          AND (t.kind = 'clawback' OR (t.unit_id = 2 AND t.kind IN ('award', 'reversal')))
          AND ((x.owner_id IS DISTINCT FROM a.person_id
                AND NOT (t.kind <> 'award' AND {of_one_person("x.owner_id", "a.person_id")}))
               OR (t.unit_id = 2 AND t.amount <> a.minutes))
        """,
    ),
    Check(
        "awards: what was taken back is rejected or reversed",
        f"""
        SELECT 'award ' || a.id AS subject, 'rejected or reversed' AS expected, a.state AS found
        FROM ledger_transfers t JOIN awards a ON a.id = t.source_id
        WHERE t.closes_id IS NOT NULL AND t.kind IN ('reversal', 'clawback')
          AND t.source_type = 'award' AND {STANDS}
        """,
    ),
    Check(
        "awards: reviewers approved what they had to, and objections stop what they say",
        f"""
        SELECT 'award ' || a.id AS subject,
               CASE WHEN a.state IN ('notice', 'available') THEN a.reviews_needed ELSE 0 END
                   || ' approvals at least, ' || a.open_objections || ' open objections'
                   AS expected,
               coalesce(r.approvals, 0) || ' and ' || coalesce(o.open, 0) AS found
        FROM awards a
        LEFT JOIN (SELECT award_id, count(*) AS approvals FROM award_reviews
                   WHERE approved GROUP BY 1) r ON r.award_id = a.id
        LEFT JOIN (SELECT subject_id, count(*) AS open FROM cases c WHERE {OBJECTS}
                   GROUP BY 1) o ON o.subject_id = a.id
        WHERE (a.reviews_needed > 0 OR a.open_objections > 0
               OR a.id IN (SELECT subject_id FROM cases c WHERE {OBJECTS}))
          AND ((a.reviews_needed > coalesce(r.approvals, 0) AND a.state IN ('notice', 'available'))
               OR a.open_objections <> coalesce(o.open, 0))
        """,
    ),
)
