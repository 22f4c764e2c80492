"""Merges of two accounts of one person, and the kind of their transfers.

Revision ID: 20261130_merges
Revises: 20261129_search
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_merges"
down_revision = "20261130_contacts"
branch_labels = None
depends_on = None

KINDS = (
    *("award", "release", "hold", "unhold", "collect", "charge", "refund", "reversal"),
    *("clawback", "repayment", "expiry", "deduction", "restitution", "donation", "budget"),
)


def upgrade() -> None:
    _allow(*KINDS, "merge")
    op.add_column("people", sa.Column("merged_into_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_people_merged_into_id"), "people", "people", ["merged_into_id"], ["id"]
    )
    op.create_check_constraint(op.f("ck_people_merged"), "people", "merged_into_id <> id")
    op.create_index(
        "ix_people_merged",
        "people",
        ["merged_into_id"],
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )
    op.create_table(
        "merges",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("absorbed_id", sa.Uuid(), nullable=False),
        sa.Column("kept_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(length=200), nullable=True),
        sa.Column("points", sa.Integer(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("debt", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'confirmed', 'rejected', 'lapsed')",
            name=op.f("ck_merges_state"),
        ),
        sa.CheckConstraint(
            "absorbed_id <> kept_id AND created_by NOT IN (absorbed_id, kept_id)"
            " AND settled_by NOT IN (absorbed_id, kept_id)",
            name=op.f("ck_merges_parties"),
        ),
        sa.CheckConstraint(
            "CASE state WHEN 'proposed' THEN num_nonnulls(settled_by, settled_at) = 0"
            " WHEN 'lapsed' THEN settled_by IS NULL AND settled_at IS NOT NULL"
            " WHEN 'confirmed' THEN num_nonnulls(settled_by, settled_at) = 2"
            " AND settled_by <> created_by"
            " ELSE num_nonnulls(settled_by, settled_at) = 2 END",
            name=op.f("ck_merges_settled"),
        ),
        sa.CheckConstraint("least(points, minutes, debt) >= 0", name=op.f("ck_merges_moved")),
        sa.ForeignKeyConstraint(["absorbed_id"], ["people.id"], name=op.f("fk_merges_absorbed_id")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_merges_created_by")),
        sa.ForeignKeyConstraint(["kept_id"], ["people.id"], name=op.f("fk_merges_kept_id")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_merges_org_id")),
        sa.ForeignKeyConstraint(["settled_by"], ["people.id"], name=op.f("fk_merges_settled_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
    )
    op.create_index("ix_merges_org", "merges", ["org_id", "id"])
    op.create_index("ix_merges_kept", "merges", ["kept_id"])
    op.create_index(
        "ix_merges_lapsing",
        "merges",
        ["lapses_at"],
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.create_index(
        "uq_merges_open",
        "merges",
        ["absorbed_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('proposed', 'confirmed')"),
    )
    op.execute(
        "GRANT SELECT, INSERT,"
        " UPDATE (reason, state, settled_by, settled_at, answer, points, minutes, debt)"
        " ON merges TO qx_app"
    )


def downgrade() -> None:
    """Refused by the constraint once there is a transfer of a merge."""
    op.drop_table("merges")
    op.drop_index("ix_people_merged", table_name="people")
    op.drop_constraint(op.f("ck_people_merged"), "people", type_="check")
    op.drop_constraint(op.f("fk_people_merged_into_id"), "people", type_="foreignkey")
    op.drop_column("people", "merged_into_id")
    _allow(*KINDS)


def _allow(*kinds: str) -> None:
    """Say anew which kinds there are; a long table is read once, and not locked meanwhile."""
    name = op.f("ck_ledger_transfers_kind")
    allowed = ", ".join(f"'{one}'" for one in kinds)
    op.drop_constraint(name, "ledger_transfers", type_="check")
    op.execute(
        f"ALTER TABLE ledger_transfers ADD CONSTRAINT {name} CHECK (kind IN ({allowed})) NOT VALID"
    )
    op.execute(f"ALTER TABLE ledger_transfers VALIDATE CONSTRAINT {name}")
