"""Random numbers of cards, and those that ended; purposes and windows of codes.

Revision ID: 20261130_cards
Revises: 20261130_reasons_erased
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_cards"
down_revision = "20261130_friend_names"
branch_labels = None
depends_on = None

STATUSES = "'active', 'suspended', 'frozen', 'lost'"
PURPOSES = "'charge', 'attendance', 'handover', 'merge', 'courtesy'"
# gen_random_uuid() takes its digits from the operating system's cryptographic source; the first 32
# bits are all random. Zero is no serial: other code takes it for none.
DRAW = """
CREATE FUNCTION drawn_card_serial() RETURNS integer LANGUAGE sql VOLATILE AS $$
    SELECT CAST(CAST('x' || left(CAST(gen_random_uuid() AS text), 8) AS bit(32))
                & CAST(x'7fffffff' AS bit(32)) AS integer)
$$
"""
NEW_SERIAL = """
CREATE FUNCTION new_card_serial() RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    drawn integer;
BEGIN
    LOOP
        drawn := drawn_card_serial();
        EXIT WHEN drawn > 0
            AND NOT EXISTS (SELECT 1 FROM cards WHERE serial = drawn)
            AND NOT EXISTS (SELECT 1 FROM ended_cards WHERE serial = drawn);
    END LOOP;
    RETURN drawn;
END
$$
"""
# The numbers of before were counted up from 1: those go on after the last of them.
COUNTED_UP = """
SELECT setval(pg_get_serial_sequence('cards', 'serial'), coalesce(max(serial), 0) + 1, false)
FROM cards WHERE serial <= (SELECT count(*) FROM cards)
"""


def upgrade() -> None:
    op.create_table(
        "ended_cards",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("reason IN ('lost', 'replaced')", name=op.f("ck_ended_cards_reason")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_ended_cards_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ended_cards")),
        sa.UniqueConstraint("serial", name=op.f("uq_ended_cards_serial")),
    )
    op.create_index("ix_ended_cards_person", "ended_cards", ["person_id", "id"])
    op.execute("GRANT SELECT, INSERT, DELETE ON ended_cards TO qx_app")
    op.execute(DRAW)
    op.execute(NEW_SERIAL)
    op.execute("ALTER TABLE cards ALTER COLUMN serial DROP IDENTITY")
    op.execute("ALTER TABLE cards ALTER COLUMN serial SET DEFAULT new_card_serial()")
    op.add_column("cards", sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("cards", sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("ck_cards_status"), "cards", type_="check")
    for name, condition in (
        ("status", f"status IN ({STATUSES})"),
        ("frozen", "status <> 'frozen' OR frozen_at IS NOT NULL"),
        ("lost", "status <> 'lost' OR lost_at IS NOT NULL"),
    ):
        op.create_check_constraint(op.f(f"ck_cards_{name}"), "cards", condition)
    _codes()
    op.create_table(
        "tier_standings",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("tier", sa.String(length=40), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("below_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_tier_standings_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["ledger_units.id"], name=op.f("fk_tier_standings_unit_id")
        ),
        sa.PrimaryKeyConstraint("person_id", "unit_id", name=op.f("pk_tier_standings")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON tier_standings TO qx_app")
    op.create_table(
        "code_locks",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column(
            "misses",
            postgresql.ARRAY(sa.DateTime(timezone=True)),
            server_default="{}",
            nullable=False,
        ),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_code_locks_merchant_id")
        ),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_code_locks")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON code_locks TO qx_app")


def _codes() -> None:
    op.add_column("card_codes", sa.Column("purpose", sa.String(length=20), nullable=True))
    op.add_column("card_codes", sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("card_codes", sa.Column("used_by", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_card_codes_purpose"), "card_codes", f"purpose IN ({PURPOSES})"
    )
    op.create_check_constraint(
        op.f("ck_card_codes_used_by"), "card_codes", "used_at IS NOT NULL OR used_by IS NULL"
    )


def downgrade() -> None:
    op.drop_table("code_locks")
    op.drop_table("tier_standings")
    op.drop_constraint(op.f("ck_card_codes_used_by"), "card_codes", type_="check")
    op.drop_constraint(op.f("ck_card_codes_purpose"), "card_codes", type_="check")
    for column in ("used_by", "valid_from", "purpose"):
        op.drop_column("card_codes", column)
    op.execute("UPDATE cards SET status = 'suspended' WHERE status IN ('frozen', 'lost')")
    for name in ("lost", "frozen", "status"):
        op.drop_constraint(op.f(f"ck_cards_{name}"), "cards", type_="check")
    op.create_check_constraint(
        op.f("ck_cards_status"), "cards", "status IN ('active', 'suspended')"
    )
    op.drop_column("cards", "lost_at")
    op.drop_column("cards", "frozen_at")
    op.execute("ALTER TABLE cards ALTER COLUMN serial DROP DEFAULT")
    op.execute("ALTER TABLE cards ALTER COLUMN serial ADD GENERATED ALWAYS AS IDENTITY")
    op.execute(COUNTED_UP)
    op.execute("DROP FUNCTION new_card_serial()")
    op.execute("DROP FUNCTION drawn_card_serial()")
    op.drop_table("ended_cards")
