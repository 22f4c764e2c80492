"""A reason of awards: the attended time was counted before.

Revision ID: 20261130_reasons
Revises: 20261130_staff_codes
"""

from alembic import op

revision = "20261130_reasons"
down_revision = "20261130_staff_codes"
branch_labels = None
depends_on = None

CAPS = ("cap_day", "cap_month", "cap_year", "overall_day", "overall_month", "overall_year")
BEFORE = ("full", *CAPS, "once")
NOW = (*BEFORE, "counted_before")


def upgrade() -> None:
    _require(NOW)


def downgrade() -> None:
    op.execute("UPDATE awards SET reason = 'full' WHERE reason = 'counted_before'")
    _require(BEFORE)


def _require(reasons: tuple[str, ...]) -> None:
    name = op.f("ck_awards_reason")
    op.drop_constraint(name, "awards", type_="check")
    listed = ", ".join(f"'{one}'" for one in reasons)
    op.create_check_constraint(name, "awards", f"reason IN ({listed})")
