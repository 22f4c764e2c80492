# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of decisions against the audit trail, and of stored replies against what they replay."""

from app.queries.ledger.attendance import (
    CAN_BE_FORGOTTEN,
    FORGOTTEN,
    FORGOTTEN_UNTIL,
    SINCE_TRAIL,
)
from app.queries.ledger.awarded import POINTS_POSTED
from app.queries.ledger.checking import Check

# The document of each reply under an Idempotency-Key i; NULL if it is none. In LATIN1 every byte
# is a character, so that no stored byte is an error, and ids and points are ASCII anyway.
_REPLY = """
CASE WHEN position(CAST('\\x00' AS bytea) IN i.body) = 0
          AND pg_input_is_valid(convert_from(i.body, 'LATIN1'), 'jsonb')
     THEN CAST(convert_from(i.body, 'LATIN1') AS jsonb) END
"""
# Everything in a reply that has an id and points. A reversal has the id of its award where no
# transfer was reversed, and the points that were taken back.
_TOLD = """
$.** ? (@.id.type() == "string" && @.points.type() == "number" && !exists(@.reverses_id))
"""

# A condition on entries e of activities: a draft is deleted with its organizers, and an entry.
_IS_DELETED_DRAFT = """
(EXISTS (SELECT FROM audit_entries d WHERE d.subject_type = 'activity'
         AND d.subject_id = e.subject_id AND d.verb = 'deleted')
 AND NOT EXISTS (SELECT FROM activities a WHERE a.id = e.subject_id))
"""

TRAIL_CHECKS = (
    Check(
        # A forged entry excuses nothing, see ``FORGOTTEN_UNTIL``.
        "audit trail: what was forgotten is whole months, after 36 at the earliest",
        f"""
        SELECT 'audit entry ' || id AS subject, 'a first of a month, 36 months before' AS expected,
               facts ->> 'until' AS found
        FROM audit_entries
        WHERE verb = 'forgotten' AND subject_type = 'audit_entry' AND NOT {CAN_BE_FORGOTTEN}
        """,
    ),
    Check(
        # Else an entry that says so would excuse whatever has none.
        "audit trail: nothing is left of what was forgotten",
        f"""
        SELECT 'audit entry ' || id AS subject, 'after ' || {FORGOTTEN_UNTIL} AS expected,
               uuid_extract_timestamp(id) AS found
        FROM audit_entries WHERE uuid_extract_timestamp(id) < {FORGOTTEN_UNTIL}
        """,
    ),
    Check(
        "roles: the audit trail has an entry of each grant",
        f"""
        SELECT 'role grant ' || g.id AS subject,
               concat_ws(' ', g.role, 'of', g.person_id, 'at', coalesce(g.org_id, g.merchant_id),
                         'from', g.starts_at, 'until', g.ends_at) AS expected,
               concat_ws(' ', e.verb, 'from', e.starts_at, 'until', e.ends_at) AS found
        FROM role_grants g
        LEFT JOIN (
            SELECT DISTINCT ON (subject_id, role, place) *
            FROM (
                SELECT id, subject_id, verb, facts ->> 'role' AS role,
                       coalesce(facts ->> 'merchant', CAST(org_id AS text)) AS place,
                       CAST(facts ->> 'starts_at' AS timestamptz) AS starts_at,
                       CAST(facts ->> 'ends_at' AS timestamptz) AS ends_at
                FROM audit_entries WHERE subject_type = 'person'
                  AND verb IN ('appointed', 'recorded', 'dismissed')
            ) x
            ORDER BY subject_id, role, place, id DESC
        ) e ON e.subject_id = g.person_id AND e.role = g.role
           AND e.place = CAST(coalesce(g.merchant_id, g.org_id) AS text)
        WHERE CASE WHEN e.subject_id IS NULL THEN g.created_at >= {FORGOTTEN}
                   ELSE e.verb = 'dismissed' OR e.ends_at IS DISTINCT FROM g.ends_at
                        OR coalesce(e.starts_at <> g.starts_at, false) END
        """,
    ),
    Check(
        # An operator may have suspended a card before an operation did, without an entry.
        "suspensions: people and cards are suspended whose newest entry says so",
        f"""
        SELECT x.what || ' ' || x.id AS subject, e.verb AS expected,
               CASE WHEN x.is_suspended THEN 'suspended' ELSE 'active' END AS found
        FROM (
            SELECT 'person' AS what, id, suspended_at IS NOT NULL AS is_suspended,
                   suspended_at >= {FORGOTTEN} AS has_entry
            FROM people
            UNION ALL SELECT 'card', c.person_id, c.status = 'suspended', false
            FROM cards c JOIN people p ON p.id = c.person_id WHERE p.erased_at IS NULL
        ) x
        LEFT JOIN (
            SELECT DISTINCT ON (subject_type, subject_id) subject_type, subject_id, verb
            FROM audit_entries WHERE verb IN ('suspended', 'restored')
            ORDER BY subject_type, subject_id, id DESC
        ) e ON e.subject_type = x.what AND e.subject_id = x.id
        WHERE CASE WHEN e.verb IS NULL THEN x.is_suspended AND x.has_entry
                   ELSE (e.verb = 'suspended') <> x.is_suspended END
        """,
    ),
    Check(
        "organisations: closed are those whose newest entry says so",
        f"""
        SELECT 'organisation ' || o.id AS subject, coalesce(e.verb, 'open') AS expected,
               CASE WHEN o.closed_at IS NULL THEN 'open' ELSE 'closed' END AS found
        FROM orgs o
        LEFT JOIN (
            SELECT DISTINCT ON (subject_id) subject_id, verb FROM audit_entries
            WHERE subject_type = 'org' AND verb IN ('closed', 'reopened')
            ORDER BY subject_id, id DESC
        ) e ON e.subject_id = o.id
        WHERE CASE WHEN e.verb IS NULL THEN coalesce(o.closed_at >= {FORGOTTEN}, false)
                   ELSE (e.verb = 'closed') <> (o.closed_at IS NOT NULL) END
        """,
    ),
    Check(
        "policies: each is the document whose hash the audit trail has",
        f"""
        SELECT 'policy ' || p.version AS subject,
               concat_ws(' ', e.sha256, 'from', e.begins, 'at', e.org_id, 'by', e.actor_id)
                   AS expected,
               concat_ws(' ', p.sha256, 'from', p.begins, 'at', p.org_id, 'by', p.published_by)
                   AS found
        FROM (
            SELECT *, encode(sha256(convert_to(source, 'UTF8')), 'hex') AS sha256,
                   to_char(effective_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') AS begins,
                   CAST(lpad(to_hex(version), 32, '0') AS uuid) AS id
            FROM policies
        ) p
        FULL JOIN (
            SELECT subject_id, org_id, actor_id, facts ->> 'sha256' AS sha256,
                   left(facts ->> 'effective_from', 19) AS begins
            FROM audit_entries WHERE subject_type = 'policy' AND facts ? 'sha256'
        ) e ON e.subject_id = p.id
        WHERE (e.sha256, e.begins, e.org_id, e.actor_id)
              IS DISTINCT FROM (p.sha256, p.begins, p.org_id, p.published_by)
          AND (e.subject_id IS NOT NULL OR p.created_at >= {FORGOTTEN})
        """,
    ),
    Check(
        "activities: who published one, edited it or showed its code is among its organizers",
        f"""
        SELECT 'activity ' || coalesce(e.subject_id, o.activity_id) AS subject,
               'organizer ' || e.person_id AS expected, 'organizer ' || o.person_id AS found
        FROM (
            SELECT DISTINCT subject_id, CASE WHEN verb = 'organizes'
                   THEN CAST(facts ->> 'person' AS uuid) ELSE actor_id END AS person_id
            FROM audit_entries
            WHERE subject_type = 'activity' AND verb IN ('published', 'code_shown', 'organizes')
        ) e
        FULL JOIN activity_organizers o
          ON o.activity_id = e.subject_id AND o.person_id = e.person_id
        WHERE CASE WHEN e.subject_id IS NULL THEN o.created_at >= {FORGOTTEN}
                   ELSE o.activity_id IS NULL AND NOT {_IS_DELETED_DRAFT} END
        """,
    ),
    Check(
        "reviews: the audit trail has an entry of each, and no other",
        f"""
        SELECT 'review of award ' || coalesce(e.award_id, r.award_id) AS subject,
               e.verb || ' by ' || e.reviewer_id AS expected,
               r.verb || ' by ' || r.reviewer_id AS found
        FROM (
            SELECT subject_id AS award_id, actor_id AS reviewer_id, verb FROM audit_entries
            WHERE subject_type = 'award' AND verb IN ('approved', 'rejected')
        ) e
        FULL JOIN (
            SELECT award_id, reviewer_id, created_at,
                   CASE WHEN approved THEN 'approved' ELSE 'rejected' END AS verb
            FROM award_reviews
        ) r ON r.award_id = e.award_id AND r.reviewer_id = e.reviewer_id AND r.verb = e.verb
        WHERE r.award_id IS NULL OR (e.award_id IS NULL AND r.created_at >= {SINCE_TRAIL})
        """,
    ),
    Check(
        "receipts, deductions, cases, refunds in part and others: each has the entry of its maker",
        f"""
        SELECT r.what || ' ' || r.id AS subject, e.actor_id AS expected, r.created_by AS found
        FROM (
            SELECT 'fund_receipt' AS what, id, created_by, created_at FROM fund_receipts
            UNION ALL SELECT 'deduction', id, created_by, created_at FROM deductions
            UNION ALL SELECT 'case', id, created_by, created_at FROM cases
            UNION ALL SELECT 'appointment', id, created_by, created_at FROM appointments
            UNION ALL SELECT 'co_organizer', id, created_by, created_at FROM co_organizers
            UNION ALL SELECT 'merge', id, created_by, created_at FROM merges
            UNION ALL SELECT 'stock_movement', id, created_by, created_at FROM stock_movements
        ) r
        LEFT JOIN audit_entries e
          ON e.subject_type = r.what AND e.subject_id = r.id AND e.verb = 'created'
        WHERE e.actor_id <> r.created_by OR (e.id IS NULL AND r.created_at >= {SINCE_TRAIL})
        UNION ALL
        SELECT 'refund of charge ' || f.charge_id, NULL, f.created_by
        FROM charge_refunds f
        WHERE f.created_at >= {SINCE_TRAIL} AND NOT EXISTS (
            SELECT FROM audit_entries e
            WHERE e.subject_type = 'charge' AND e.subject_id = f.charge_id
              AND e.verb = 'refunded_in_part' AND e.actor_id = f.created_by
              AND e.facts ->> 'points' = CAST(f.points AS text)
        )
        """,
    ),
    Check(
        # Less than it was when it was proposed, an award gives after cuts and partial reversals.
        "replies under a key: the points of each are those of what it names",
        f"""
        SELECT 'reply to ' || i.person_id || ' under ' || i.key AS subject,
               f.what || ' ' || f.id || ' of ' || f.points AS expected, i.points AS found
        FROM (
            SELECT i.person_id, i.key, told ->> 'id' AS id, told -> 'points' AS points
            FROM (SELECT person_id, key, {_REPLY} AS reply FROM idempotency_keys i
                  WHERE status BETWEEN 200 AND 299) i
            CROSS JOIN LATERAL jsonb_path_query(reply, '{_TOLD}') AS told
        ) i
        JOIN (
            SELECT 'charge' AS what, CAST(id AS text) AS id, points, points AS least FROM charges
            UNION ALL SELECT 'redemption', CAST(id AS text), points, points FROM redemptions
            UNION ALL SELECT 'deduction', CAST(id AS text), points, points FROM deductions
            UNION ALL SELECT 'receipt', CAST(id AS text), points, points FROM fund_receipts
            UNION ALL SELECT 'award', CAST(id AS text), {POINTS_POSTED}, points FROM awards
        ) f ON f.id = i.id
        WHERE CAST(i.points AS numeric) NOT BETWEEN f.least AND f.points
        """,
    ),
)
