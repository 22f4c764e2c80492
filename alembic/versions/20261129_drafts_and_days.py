"""Drafts have organizers, and no day is closed that is to come.

Whoever edited a draft or co-organized it is among its organizers, which go with a deleted draft.

Revision ID: 20261129_drafts_and_days
Revises: 20261129_messages
"""

from alembic import op

revision = "20261129_drafts_and_days"
down_revision = "20261129_messages"
branch_labels = None
depends_on = None

KEY = "fk_activity_organizers_activity_id"
# Awards that were paid by a check-in stay as they are.
ENTRIES = """
INSERT INTO audit_entries (verb, subject_type, subject_id, org_id, fields, facts)
SELECT 'organizes', 'activity', a.id, a.org_id, '[]', jsonb_build_object('person', p.person_id)
FROM (
    SELECT subject_id AS activity_id, actor_id AS person_id FROM audit_entries
    WHERE subject_type = 'activity' AND verb = 'edited' AND actor_id IS NOT NULL
    UNION
    SELECT CAST(substr(facts ->> 'about', 10) AS uuid), CAST(facts ->> 'person' AS uuid)
    FROM audit_entries
    WHERE subject_type = 'co_organizer' AND verb = 'created' AND facts ->> 'about' ^@ 'activity:'
) p
JOIN activities a ON a.id = p.activity_id
WHERE a.status IN ('draft', 'published') AND a.checkins = 0 AND NOT EXISTS (
    SELECT FROM activity_organizers o WHERE o.activity_id = a.id AND o.person_id = p.person_id)
ORDER BY a.id, p.person_id
"""
ORGANIZERS = """
INSERT INTO activity_organizers (activity_id, person_id)
SELECT e.subject_id, CAST(e.facts ->> 'person' AS uuid)
FROM audit_entries e JOIN activities a ON a.id = e.subject_id
WHERE e.subject_type = 'activity' AND e.verb = 'organizes'
ON CONFLICT DO NOTHING
"""
# The service closes a day some minutes after its end, and its clock differs from PostgreSQL's by
# less than that (decision 0022).
REFUSE = """
CREATE FUNCTION refuse_days_to_come() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF CAST(NEW.day + 1 AS timestamp) AT TIME ZONE 'Asia/Shanghai' > clock_timestamp() THEN
        RAISE EXCEPTION 'the day % is not over', NEW.day USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""
TRIGGER = """
CREATE TRIGGER refuse_days_to_come BEFORE INSERT OR UPDATE ON ledger_closed_days
FOR EACH ROW EXECUTE FUNCTION refuse_days_to_come()
"""


def upgrade() -> None:
    op.drop_constraint(KEY, "activity_organizers", type_="foreignkey")
    op.create_foreign_key(
        KEY, "activity_organizers", "activities", ["activity_id"], ["id"], ondelete="CASCADE"
    )
    for statement in (ENTRIES, ORGANIZERS, REFUSE, TRIGGER):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER refuse_days_to_come ON ledger_closed_days")
    op.execute("DROP FUNCTION refuse_days_to_come()")
    op.drop_constraint(KEY, "activity_organizers", type_="foreignkey")
    op.create_foreign_key(KEY, "activity_organizers", "activities", ["activity_id"], ["id"])
