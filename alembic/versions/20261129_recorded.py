"""Roles and policies from before the audit trail get an entry, so that each has one.

And who published an activity, or showed its code, since then is among its organizers.

Revision ID: 20261129_recorded
Revises: 20261129_fair
"""

from alembic import op

revision = "20261129_recorded"
down_revision = "20261129_sealed_facts"
branch_labels = None
depends_on = None

ROLES = """
INSERT INTO audit_entries (verb, subject_type, subject_id, org_id, fields, facts)
SELECT 'recorded', 'person', g.person_id, coalesce(g.org_id, m.org_id), '[]',
       jsonb_strip_nulls(jsonb_build_object('role', g.role, 'merchant', g.merchant_id))
FROM role_grants g LEFT JOIN merchants m ON m.id = g.merchant_id
WHERE NOT EXISTS (
    SELECT FROM audit_entries e
    WHERE e.verb = 'appointed' AND e.subject_id = g.person_id AND e.facts ->> 'role' = g.role
      AND coalesce(e.facts ->> 'merchant', CAST(e.org_id AS text))
          = CAST(coalesce(g.merchant_id, g.org_id) AS text))
ORDER BY g.id
"""
POLICIES = """
INSERT INTO audit_entries (actor_id, verb, subject_type, subject_id, org_id, fields, facts)
SELECT published_by, 'recorded', 'policy', CAST(lpad(to_hex(version), 32, '0') AS uuid), org_id,
       '[]', jsonb_build_object(
           'version', version,
           'effective_from',
           to_char(effective_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
           'sha256', encode(sha256(convert_to(source, 'UTF8')), 'hex'))
FROM policies ORDER BY version
"""
ORGANIZERS = """
INSERT INTO activity_organizers (activity_id, person_id, created_at)
SELECT subject_id, actor_id, min(at) FROM audit_entries
WHERE subject_type = 'activity' AND verb IN ('published', 'code_shown') GROUP BY 1, 2
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    for statement in (ROLES, POLICIES, ORGANIZERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DELETE FROM audit_entries WHERE verb = 'recorded'")
