"""Seals of version 2, which cover facts besides transfers, and what was published of seals.

Revision ID: 20261129_sealed_facts
Revises: 20261129_fair
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_sealed_facts"
down_revision = "20261129_fair"
branch_labels = None
depends_on = None

FACTS = """
CASE version WHEN 1 THEN facts_root IS NULL AND facts = 0
 WHEN 2 THEN length(facts_root) = 32 AND facts_root IS NOT NULL ELSE false END
"""


def upgrade() -> None:
    op.add_column(
        "ledger_seals", sa.Column("version", sa.Integer(), server_default="1", nullable=False)
    )
    op.add_column(
        "ledger_seals", sa.Column("facts", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column("ledger_seals", sa.Column("facts_root", sa.LargeBinary(), nullable=True))
    op.create_check_constraint(op.f("ck_ledger_seals_facts"), "ledger_seals", FACTS)
    op.create_table(
        "ledger_sealed_facts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("fact", sa.String(length=40), nullable=False),
        sa.Column("seal_day", sa.Date(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "length(digest) = 32 AND number > 0", name=op.f("ck_ledger_sealed_facts_digest")
        ),
        sa.PrimaryKeyConstraint("day", "fact", name=op.f("pk_ledger_sealed_facts")),
    )
    op.create_table(
        "seal_publications",
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_seal_publications")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON seal_publications TO qx_app")
    # Hashes cannot be compressed.
    op.execute("ALTER TABLE ledger_sealed_facts ALTER COLUMN entries SET STORAGE EXTERNAL")
    op.execute("GRANT SELECT, INSERT ON ledger_sealed_facts TO qx_app")


def downgrade() -> None:
    """Remove the seals of version 2: the release before seals these days anew, in its form."""
    op.drop_table("seal_publications")
    op.drop_table("ledger_sealed_facts")
    op.execute(
        "DELETE FROM ledger_seal_nodes n USING ledger_seals s WHERE s.day = n.day AND s.version = 2"
    )
    op.execute("DELETE FROM ledger_seals WHERE version = 2")
    op.drop_constraint(op.f("ck_ledger_seals_facts"), "ledger_seals", type_="check")
    for name in ("facts_root", "facts", "version"):
        op.drop_column("ledger_seals", name)
