"""Organisations have a contact for residents: a phone number, and a line of text.

Revision ID: 20261130_contacts
Revises: 20261130_totals
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_contacts"
down_revision = "20261130_verifications"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orgs", sa.Column("contact_phone", sa.String(length=20), nullable=True))
    op.add_column("orgs", sa.Column("contact_note", sa.String(length=100), nullable=True))


def downgrade() -> None:
    op.drop_column("orgs", "contact_note")
    op.drop_column("orgs", "contact_phone")
