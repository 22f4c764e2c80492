"""Units have English names, and the service opens them by a function.

Revision ID: 20261130_units
Revises: 20261129_search
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_units"
down_revision = "20261129_search"
branch_labels = None
depends_on = None

# The service's role may not insert units: of what it may do with them this is all.
OPEN_UNIT = """
CREATE FUNCTION open_unit(unit_code text, unit_name text, unit_name_en text) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO ledger_units (id, code, name_zh, name_en)
    SELECT max(id) + 1, unit_code, unit_name, unit_name_en FROM ledger_units
    ON CONFLICT DO NOTHING RETURNING id
$$
"""
NAME = "UPDATE ledger_units SET name_en = '{}' WHERE code = '{}'"


def upgrade() -> None:
    op.add_column("ledger_units", sa.Column("name_en", sa.String(length=40), nullable=True))
    for code, name in (("points", "Youth points"), ("minutes", "Minutes of service")):
        op.execute(NAME.format(name, code))
    op.execute(OPEN_UNIT)
    op.execute("REVOKE ALL ON FUNCTION open_unit(text, text, text) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION open_unit(text, text, text) TO qx_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION open_unit(text, text, text)")
    op.drop_column("ledger_units", "name_en")
