"""Erasing a person empties all reasons that staff gave about the person, and notes of visits.

Revision ID: 20261130_reasons_erased
Revises: 20261130_signup_terms
"""

from alembic import op

revision = "20261130_reasons_erased"
down_revision = "20261130_scans"
branch_labels = None
depends_on = None

_ERASE_TEXTS = """
CREATE OR REPLACE FUNCTION erase_texts(people uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE audit_entries e SET reason = ''
    FROM (
        SELECT 'award' AS noun, a.id, a.person_id FROM awards a WHERE a.person_id = ANY(people)
        UNION ALL
        SELECT 'deduction', d.id, d.person_id FROM deductions d WHERE d.person_id = ANY(people)
        UNION ALL
        SELECT 'case', c.id, c.created_by FROM cases c WHERE c.created_by = ANY(people)
        UNION ALL
        SELECT 'person', p.id, p.id FROM people p WHERE p.id = ANY(people)
        {subjects}
    ) s JOIN people p ON p.id = s.person_id AND p.erased_at IS NOT NULL
    WHERE e.subject_type = s.noun AND e.subject_id = s.id AND e.reason <> ''{where};
    UPDATE case_entries e SET text = ''
    FROM cases c JOIN people p ON p.id = c.created_by
    WHERE c.id = e.case_id AND p.id = ANY(people) AND p.erased_at IS NOT NULL AND e.text <> '';
    UPDATE cases c SET reason = '', answer = CASE WHEN c.answer IS NOT NULL THEN '' END
    FROM people p
    WHERE p.id = c.created_by AND p.id = ANY(people) AND p.erased_at IS NOT NULL;
    {more}
$$
"""
# Reasons about a sign-up or a check-in name the person in their facts; of the person are both.
_SUBJECTS = """
        UNION ALL
        SELECT 'card', p.id, p.id FROM people p WHERE p.id = ANY(people)
        UNION ALL
        SELECT 'signup', i.id, i.person_id FROM signups i WHERE i.person_id = ANY(people)
        UNION ALL
        SELECT 'checkin', k.id, k.person_id FROM checkins k WHERE k.person_id = ANY(people)
        UNION ALL
        SELECT 'redemption', r.id, r.person_id FROM redemptions r WHERE r.person_id = ANY(people)
        UNION ALL
        SELECT 'merchant', m.id, m.applied_by FROM merchants m WHERE m.applied_by = ANY(people)
"""
# Of a merchant only what became of the application: what it did in business concerns others.
_WHERE = """
      AND (e.subject_type <> 'merchant' OR e.to_state = 'declined')"""
_MORE = """
    UPDATE corrections c SET reason = ''
    FROM checkins k JOIN people p ON p.id = k.person_id
    WHERE k.id = c.checkin_id AND p.id = ANY(people) AND p.erased_at IS NOT NULL
      AND c.reason <> '';
    UPDATE merchant_visits v SET note = ''
    FROM merchants m JOIN people p ON p.id = m.applied_by
    WHERE m.id = v.merchant_id AND p.id = ANY(people) AND p.erased_at IS NOT NULL
      AND v.note <> '';
"""


def upgrade() -> None:
    op.execute(_ERASE_TEXTS.format(subjects=_SUBJECTS, where=_WHERE, more=_MORE))
    # The job comes back once more to accounts that were erased before.
    op.execute("UPDATE closures SET swept_at = NULL WHERE swept_at IS NOT NULL")


def downgrade() -> None:
    op.execute(_ERASE_TEXTS.format(subjects="", where="", more=""))
