"""Copies of people's data.

Revision ID: 20261129_data_copies
Revises: 20261129_profiles
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_data_copies"
down_revision = "20261129_profiles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "data_copies",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(content, ready_at) IN (0, 2)", name=op.f("ck_data_copies_content")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_data_copies_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_copies")),
    )
    op.create_index("uq_data_copies_person", "data_copies", ["person_id"], unique=True)
    op.execute("GRANT SELECT, INSERT, DELETE ON data_copies TO qx_app")
    op.execute("GRANT UPDATE (ready_at, content) ON data_copies TO qx_app")


def downgrade() -> None:
    op.drop_index("uq_data_copies_person", table_name="data_copies")
    op.drop_table("data_copies")
