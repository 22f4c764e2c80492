"""The last run of each job.

Revision ID: 20261129_job_runs
Revises: 20261129_days
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_job_runs"
down_revision = "20261129_days"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_runs",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_runs")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON job_runs TO qx_app")


def downgrade() -> None:
    op.drop_table("job_runs")
