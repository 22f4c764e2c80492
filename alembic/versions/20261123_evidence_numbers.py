"""Evidence numbers are found by their proposal, and spelled as they are compared now.

And the month that was closed last is found at once.

Revision ID: 20261123_evidence_numbers
Revises: 20261122_whole_seals
"""

import sqlalchemy as sa

from alembic import op
from app.core.normalize import normalized

revision = "20261123_evidence_numbers"
down_revision = "20261122_whole_seals"
branch_labels = None
depends_on = None

# Of two numbers that are one now, the older claim stays; the other's award keeps its points.
_SPELL = sa.text("""
UPDATE award_evidence_numbers n SET number = :now
WHERE (unit_id, rule_key, field, number) = (:unit, :rule, :field, :before)
  AND NOT EXISTS (SELECT FROM award_evidence_numbers o
                  WHERE (o.unit_id, o.rule_key, o.field, o.number) = (:unit, :rule, :field, :now))
""")
_FORGET = sa.text("""
DELETE FROM award_evidence_numbers
WHERE (unit_id, rule_key, field, number) = (:unit, :rule, :field, :before)
""")


def upgrade() -> None:
    bind = op.get_bind()
    known = bind.execute(
        sa.text(
            "SELECT unit_id, rule_key, field, number FROM award_evidence_numbers"
            " ORDER BY created_at"
        )
    ).all()
    for unit, rule, field, before in known:
        if (now := normalized(before)) == before:
            continue
        place = {"unit": unit, "rule": rule, "field": field, "before": before, "now": now}
        if bind.execute(_SPELL, place).rowcount == 0:
            bind.execute(_FORGET, place)
    op.create_index("ix_award_evidence_numbers_proposal", "award_evidence_numbers", ["proposal_id"])
    op.create_index(
        "ix_awards_proposal",
        "awards",
        ["proposal_id"],
        postgresql_where=sa.text("proposal_id IS NOT NULL"),
    )
    op.create_index(
        "ix_fund_months_closed",
        "fund_months",
        ["month"],
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Numbers stay as they are spelled: both spellings mean the same."""
    op.drop_index("ix_fund_months_closed", table_name="fund_months")
    op.drop_index("ix_awards_proposal", table_name="awards")
    op.drop_index("ix_award_evidence_numbers_proposal", table_name="award_evidence_numbers")
