# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of cases, and of what was decided about awards and deductions."""

from app.models.base import one_of
from app.models.cases import OPEN
from app.queries.ledger.attendance import FORGOTTEN, SINCE_TRAIL
from app.queries.ledger.awarded import STANDS
from app.queries.ledger.checking import Check

_UPHELD = "SELECT subject_id FROM cases WHERE kind = 'objection' AND outcome = 'adopted'"
# What the erasure of their people ended, which nobody decided.
_LAPSED = """
SELECT a.id FROM audit_entries e JOIN awards a ON a.id = e.subject_id
JOIN people p ON p.id = a.person_id
WHERE e.subject_type = 'award' AND e.verb = 'lapsed' AND e.actor_id IS NULL
  AND p.erased_at IS NOT NULL
"""
# How an evidence number is compared: only plain figures, letters, dots and slashes are folded here;
# ``normalized`` folds more (app/core/normalize.py).
_PLAIN = "~ '^[A-Za-z0-9./ ]+$'"
_FOLDED = "lower(replace({}, ' ', ''))"

# The state that the appeal c of a deduction, if there is one, leaves it in.
_APPEALED = """
CASE WHEN c.id IS NULL THEN 'standing' WHEN c.outcome = 'adopted' THEN 'revoked'
     WHEN c.outcome = 'dismissed' THEN 'upheld' ELSE 'appealed' END
"""

DECISION_CHECKS = (
    Check(
        "cases: each is where its last entry left it",
        """
        SELECT 'case ' || coalesce(c.id, e.case_id) AS subject,
               concat_ws(' ', e.to_state, 'after', e.last, 'entries of', e.entries, 'handled by',
                         e.handler_id) AS expected,
               concat_ws(' ', c.state, 'after', c.last_number, 'entries, handled by',
                         c.handler_id) AS found
        FROM cases c
        FULL JOIN (
            SELECT DISTINCT ON (case_id) case_id, number AS last, to_state, handler_id,
                   count(*) OVER (PARTITION BY case_id) AS entries
            FROM case_entries ORDER BY case_id, number DESC
        ) e ON e.case_id = c.id
        WHERE (c.last_number, c.last_number, c.state, c.handler_id)
              IS DISTINCT FROM (e.last, e.entries, e.to_state, e.handler_id)
        """,
    ),
    Check(
        "cases: each entry goes on from the one before",
        """
        SELECT 'case ' || case_id || ' entry ' || number AS subject, before AS expected,
               from_state AS found
        FROM (SELECT *, lag(to_state) OVER (PARTITION BY case_id ORDER BY number) AS before
              FROM case_entries) e
        WHERE from_state IS DISTINCT FROM before
        """,
    ),
    Check(
        "cases: the answer is that of the last entry that gave one",
        """
        SELECT 'case ' || c.id AS subject, e.text AS expected, c.answer AS found
        FROM cases c
        LEFT JOIN (
            SELECT DISTINCT ON (case_id) case_id, text FROM case_entries WHERE step = 'answered'
            ORDER BY case_id, number DESC
        ) e ON e.case_id = c.id
        WHERE c.answer IS DISTINCT FROM e.text
        """,
    ),
    Check(
        "awards: what was cut of each went back to its fund",
        """
        SELECT 'award ' || coalesce(a.id, t.source_id) AS subject, t.amount AS expected,
               a.points_cut AS found
        FROM (SELECT id, points_cut FROM awards WHERE points_cut > 0) a
        FULL JOIN (
            SELECT source_id, sum(amount) AS amount FROM ledger_transfers
            WHERE kind = 'reversal' AND source_type = 'award' AND reference LIKE 'cut:%'
            GROUP BY source_id
        ) t ON t.source_id = a.id
        WHERE a.points_cut IS DISTINCT FROM t.amount
        """,
    ),
    Check(
        # The ledger has less where points had expired or were lost.
        "awards: what was reversed of each in parts is what the audit trail has",
        f"""
        SELECT 'award ' || coalesce(a.id, e.subject_id) AS subject, e.points AS expected,
               a.points_reversed AS found
        FROM (SELECT id, points_reversed, awarded_at FROM awards WHERE points_reversed > 0) a
        FULL JOIN (
            SELECT subject_id, sum(CAST(facts ->> 'points' AS int)) AS points FROM audit_entries
            WHERE subject_type = 'award' AND verb = 'reversed_in_part' GROUP BY subject_id
        ) e ON e.subject_id = a.id
        WHERE a.points_reversed IS DISTINCT FROM e.points
          AND (a.awarded_at < {FORGOTTEN} AND a.points_reversed > coalesce(e.points, 0))
              IS NOT TRUE
        """,
    ),
    Check(
        # Where a fund paid late, the notice began then. Reviews were once dated by PostgreSQL's
        # clock, which may differ by minutes.
        "awards: the public notice and the wait of each end when they must",
        f"""
        SELECT 'award ' || id AS subject, earliest AS expected, release_at AS found
        FROM (
            SELECT a.id, a.release_at,  -- in public notice an award has one
                   coalesce(r.at, a.awarded_at)
                       + make_interval(days => a.notice_days, hours => a.wait_hours) AS earliest,
                   t.created_at + make_interval(days => a.notice_days) AS after_payment
            FROM awards a
            LEFT JOIN (SELECT award_id, max(created_at) AS at FROM award_reviews
                       WHERE approved GROUP BY award_id) r
              ON r.award_id = a.id AND a.reviews_needed > 0
            LEFT JOIN ledger_transfers t ON t.id = a.id
            WHERE (a.release_at IS NOT NULL OR a.state = 'notice')
              AND a.awarded_at >= {SINCE_TRAIL}
        ) a
        WHERE release_at IS NULL OR release_at < earliest - INTERVAL '5 minutes'
           OR release_at > greatest(earliest, after_payment) + INTERVAL '5 minutes'
        """,
    ),
    Check(
        "deductions: the state of each is the outcome of the appeal",
        f"""
        SELECT 'deduction ' || d.id AS subject, {_APPEALED} AS expected, d.state AS found
        FROM deductions d
        LEFT JOIN cases c
          ON c.kind = 'appeal' AND c.subject_id = d.id AND c.created_by = d.person_id
        WHERE (c.id IS NULL OR c.outcome IS NOT NULL OR c.{one_of("state", OPEN)})
          AND d.state <> {_APPEALED}
        """,
    ),
    Check(
        "awards: the rejected ones are those that a reviewer, an upheld objection or the erasure of"
        " their person rejected",
        f"""
        SELECT 'award ' || coalesce(a.id, r.award_id) AS subject,
               CASE WHEN r.award_id IS NULL THEN 'not rejected' ELSE 'rejected' END AS expected,
               CASE WHEN a.id IS NULL THEN 'not rejected' ELSE 'rejected' END AS found
        FROM (SELECT id FROM awards WHERE state = 'rejected') a
        FULL JOIN (
            SELECT award_id FROM award_reviews WHERE NOT approved UNION {_UPHELD}
            UNION {_LAPSED}
        ) r ON r.award_id = a.id
        WHERE r.award_id IS NULL
           OR (a.id IS NULL AND EXISTS (SELECT FROM awards x WHERE x.id = r.award_id))
        """,
    ),
    Check(
        "awards: the reversed ones are those whose reversal is in the audit trail",
        f"""
        SELECT 'award ' || coalesce(a.id, e.award_id) AS subject,
               CASE WHEN e.award_id IS NULL THEN 'not reversed' ELSE 'reversed' END AS expected,
               CASE WHEN a.id IS NULL THEN 'not reversed' ELSE 'reversed' END AS found
        FROM (SELECT id, awarded_at FROM awards WHERE state = 'reversed') a
        FULL JOIN (
            SELECT subject_id AS award_id FROM audit_entries
            WHERE subject_type = 'award' AND verb = 'reversed'
        ) e ON e.award_id = a.id
        WHERE a.id IS NULL OR (e.award_id IS NULL AND a.awarded_at >= {SINCE_TRAIL})
        """,
    ),
    Check(
        "reviews: nobody reviewed an award that he got or proposed",
        """
        SELECT 'review of award ' || r.award_id AS subject, 'another reviewer' AS expected,
               r.reviewer_id AS found
        FROM award_reviews r JOIN awards a ON a.id = r.award_id
        WHERE r.reviewer_id IN (a.person_id, a.proposed_by)
        """,
    ),
    Check(
        "evidence numbers: each is of an award that stands, in its proposal",
        f"""
        SELECT concat_ws(' ', 'number', n.number, 'of', n.field, 'under', n.rule_key) AS subject,
               'an award of proposal ' || n.proposal_id AS expected, NULL AS found
        FROM award_evidence_numbers n
        WHERE NOT EXISTS (
            SELECT FROM awards a
            WHERE a.proposal_id = n.proposal_id AND {STANDS}
              AND (a.unit_id, a.rule_key) = (n.unit_id, n.rule_key) AND a.evidence ? n.field
              AND (a.evidence ->> n.field !{_PLAIN}
                   OR {_FOLDED.format("a.evidence ->> n.field")} = n.number))
        """,
    ),
    Check(
        # A field is numbered under a rule if any number of the same policy version says so.
        "awards: the evidence number of each that stands is used up",
        f"""
        SELECT 'award ' || a.id AS subject, a.field || ' ' || a.number AS expected, NULL AS found
        FROM (
            SELECT a.id, a.unit_id, a.rule_key, k.field,
                   {_FOLDED.format("a.evidence ->> k.field")} AS number
            FROM awards a
            JOIN (
                SELECT DISTINCT b.unit_id, b.rule_key, b.policy_version, n.field
                FROM award_evidence_numbers n JOIN awards b USING (proposal_id, unit_id, rule_key)
            ) k USING (unit_id, rule_key, policy_version)
            WHERE {STANDS} AND a.evidence ->> k.field {_PLAIN} AND a.awarded_at >= {SINCE_TRAIL}
        ) a
        LEFT JOIN award_evidence_numbers n USING (unit_id, rule_key, field, number)
        WHERE n.proposal_id IS NULL
        """,
    ),
)
