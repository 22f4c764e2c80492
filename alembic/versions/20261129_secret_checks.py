"""To which secret a database belongs.

Revision ID: 20261129_secret_checks
Revises: 20261129_job_runs
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_secret_checks"
down_revision = "20261129_job_runs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "secret_checks",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("check_value", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_secret_checks_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_checks")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON secret_checks TO qx_app")


def downgrade() -> None:
    op.drop_table("secret_checks")
