"""Which poster of an activity is valid; positions of check-ins, and flags.

Revision ID: 20261130_posters
Revises: 20261130_signup_terms
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_posters"
down_revision = "20261130_signup_terms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "activities",
        sa.Column("poster_issue", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_activities_poster_issue"), "activities", "poster_issue BETWEEN 1 AND 65535"
    )

    for name in ("latitude", "longitude"):
        op.add_column("checkins", sa.Column(name, sa.Integer(), nullable=True))
    op.create_check_constraint(
        op.f("ck_checkins_position"), "checkins", "num_nonnulls(latitude, longitude) IN (0, 2)"
    )
    op.execute("GRANT UPDATE (latitude, longitude) ON checkins TO qx_app")
    _create_flags()
    op.execute("GRANT SELECT, INSERT ON flags TO qx_app")
    op.execute("GRANT UPDATE (state, decided_by, decided_at, reason) ON flags TO qx_app")


def _refers(column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_flags_{column}"))


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_flags_{name}"))


def _moment(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def _create_flags() -> None:
    op.create_table(
        "flags",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        _moment("created_at", server_default=sa.text("now()"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=True),
        sa.Column("distance_m", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.Column("people", sa.Integer(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        _moment("decided_at", nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        _check("kind", "kind IN ('travel', 'coordinates')"),
        _check("state", "state IN ('open', 'dismissed', 'confirmed')"),
        _check("travel", "num_nonnulls(other_id, distance_m, seconds) IN (0, 3)"),
        _check("coordinates", "(kind = 'travel') = (people IS NULL)"),
        _check(
            "decided",
            "num_nonnulls(decided_by, decided_at, reason) = "
            "CASE state WHEN 'open' THEN 0 ELSE 3 END",
        ),
        _check("by_others", "decided_by <> person_id"),
        _refers("org_id", "orgs"),
        _refers("created_by", "people"),
        _refers("activity_id", "activities"),
        _refers("checkin_id", "checkins"),
        _refers("person_id", "people"),
        _refers("other_id", "checkins"),
        _refers("decided_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flags")),
        sa.UniqueConstraint("checkin_id", "kind", name=op.f("uq_flags_checkin_id_kind")),
    )
    op.create_index("ix_flags_org_state", "flags", ["org_id", "state", "id"])
    op.create_index("ix_flags_person", "flags", ["person_id"])


def downgrade() -> None:
    op.drop_table("flags")
    for name in ("latitude", "longitude"):
        op.drop_column("checkins", name)
    op.drop_column("activities", "poster_issue")
