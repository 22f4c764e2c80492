"""Activities are limited, no attended moment counts twice, figures of every script are figures.

Activities from before that are longer than 24 hours, or further away than two years, keep their
times and are marked. A constraint that is NOT VALID would refuse every update of their counters.

Of what people have checked in to, only what ends later can overlap with a new check-in: it is
counted for as long as it was paid, the earlier award first.

Revision ID: 20261129_days
Revises: 20261129_attachments
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSTZMULTIRANGE, ExcludeConstraint

from alembic import op
from app.core.normalize import normalized

revision = "20261129_days"
down_revision = "20261129_attachments"
branch_labels = None
depends_on = None

LIMITS = {
    "ck_activities_length": "ends_at - starts_at <= '24 hours'",
    "ck_activities_distance": "ends_at - created_at <= '731 days'"
    " AND created_at - starts_at <= '731 days'",
}

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
    _limit_activities()
    _count_attended_times()
    _spell_numbers()


def _limit_activities() -> None:
    op.add_column(
        "activities",
        sa.Column("before_limits", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    within = " AND ".join(LIMITS.values())
    op.execute(f"UPDATE activities SET before_limits = true WHERE NOT ({within})")
    for name, condition in LIMITS.items():
        op.create_check_constraint(op.f(name), "activities", f"before_limits OR {condition}")


def _count_attended_times() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.create_table(
        "attended_times",
        sa.Column("award_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("is_extra", sa.Boolean(), nullable=False),
        sa.Column("during", TSTZMULTIRANGE(), nullable=False),
        sa.CheckConstraint("NOT isempty(during)", name=op.f("ck_attended_times_during")),
        ExcludeConstraint(
            ("person_id", "="),
            ("is_extra", "="),
            ("during", "&&"),
            name="ex_attended_times_overlap",
            using="gist",
        ),
        sa.ForeignKeyConstraint(
            ["award_id"],
            ["awards.id"],
            name=op.f("fk_attended_times_award_id"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("award_id", name=op.f("pk_attended_times")),
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON attended_times TO qx_app")
    op.execute("""
        INSERT INTO attended_times (award_id, person_id, is_extra, during)
        SELECT award_id, person_id, false, during FROM (
            SELECT award_id, person_id, during - coalesce(range_agg(during) OVER (
                PARTITION BY person_id ORDER BY award_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), '{}') AS during
            FROM (
                SELECT a.id AS award_id, a.person_id,
                       tstzmultirange(tstzrange(v.starts_at, v.ends_at)) AS during
                FROM activities v
                JOIN checkins c ON c.activity_id = v.id
                JOIN awards a ON a.id = c.award_id
                WHERE v.ends_at > now() AND a.minutes > 0
                  AND a.state NOT IN ('rejected', 'reversed')
            ) paid
        ) counted
        WHERE NOT isempty(during)
    """)


def _spell_numbers() -> None:
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


def downgrade() -> None:
    """Numbers stay as they are spelled: both spellings mean the same. The extension stays."""
    op.drop_table("attended_times")
    for name in LIMITS:
        op.drop_constraint(op.f(name), "activities", type_="check")
    op.drop_column("activities", "before_limits")
