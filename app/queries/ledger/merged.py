# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of merges of two accounts of one person, with the ledger and the audit trail."""

from app.queries.ledger.attendance import FORGOTTEN
from app.queries.ledger.checking import Check

MERGE_CHECKS = (
    Check(
        "merges: transfers go from who was absorbed to who was kept, debts the other way",
        """
        SELECT 'transfer ' || t.id AS subject,
               concat_ws(' ', m.absorbed_id, 'to', m.kept_id, m.state) AS expected,
               concat_ws(' ', p.purpose, p.owner_id, 'to', q.owner_id) AS found
        FROM ledger_transfers t
        JOIN ledger_accounts p ON p.id = t.from_account_id
        JOIN ledger_accounts q ON q.id = t.to_account_id
        LEFT JOIN merges m ON m.id = t.source_id AND t.source_type = 'merge'
        WHERE t.kind = 'merge' AND (m.state IS DISTINCT FROM 'confirmed'
            OR (m.absorbed_id, m.kept_id) <> CASE p.purpose
                WHEN 'debt' THEN (q.owner_id, p.owner_id) ELSE (p.owner_id, q.owner_id) END)
        """,
    ),
    Check(
        # Whoever was kept may have been absorbed later: the last of them is who is led to.
        "merges: people lead to whom they were merged into",
        """
        SELECT 'person ' || coalesce(p.id, m.absorbed_id) AS subject,
               coalesce(k.merged_into_id, m.kept_id) AS expected, p.merged_into_id AS found
        FROM (SELECT id, merged_into_id FROM people WHERE merged_into_id IS NOT NULL) p
        FULL JOIN (SELECT absorbed_id, kept_id FROM merges WHERE state = 'confirmed') m
          ON m.absorbed_id = p.id
        LEFT JOIN people k ON k.id = m.kept_id
        WHERE coalesce(k.merged_into_id, m.kept_id) IS DISTINCT FROM p.merged_into_id
        """,
    ),
    Check(
        "merges: the audit trail has an entry of each decision",
        f"""
        SELECT 'merge ' || m.id AS subject, m.state || ' by ' || m.settled_by AS expected,
               e.to_state || ' by ' || e.actor_id AS found
        FROM merges m LEFT JOIN audit_entries e
          ON e.subject_type = 'merge' AND e.subject_id = m.id AND e.verb = 'moved'
        WHERE (m.state <> 'proposed' AND m.settled_at >= {FORGOTTEN}
               AND (e.to_state, e.actor_id) IS DISTINCT FROM (m.state, m.settled_by))
           OR (m.state = 'proposed' AND e.id IS NOT NULL)
        """,
    ),
)
