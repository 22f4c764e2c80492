"""Courtesies, categories of people, claims and grants.

Revision ID: 20261130_courtesies
Revises: 20261130_cards
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_courtesies"
down_revision = "20261130_cards"
branch_labels = None
depends_on = None

# As in 20261130_reasons_erased, with the reasons about a person's categories.
_ERASE_TEXTS = """
CREATE OR REPLACE FUNCTION erase_texts(people uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE audit_entries e SET reason = ''
    FROM (
        SELECT 'award' AS noun, a.id, a.person_id FROM awards a WHERE a.person_id = ANY(people)
        UNION ALL
        SELECT 'deduction', d.id, d.person_id FROM deductions d WHERE d.person_id = ANY(people)
        UNION ALL
        SELECT 'case', c.id, c.created_by FROM cases c WHERE c.created_by = ANY(people)
        UNION ALL
        SELECT 'person', p.id, p.id FROM people p WHERE p.id = ANY(people)
        UNION ALL
        SELECT 'card', p.id, p.id FROM people p WHERE p.id = ANY(people)
        UNION ALL
        SELECT 'signup', i.id, i.person_id FROM signups i WHERE i.person_id = ANY(people)
        UNION ALL
        SELECT 'checkin', k.id, k.person_id FROM checkins k WHERE k.person_id = ANY(people)
        UNION ALL
        SELECT 'redemption', r.id, r.person_id FROM redemptions r WHERE r.person_id = ANY(people)
        UNION ALL
        SELECT 'merchant', m.id, m.applied_by FROM merchants m WHERE m.applied_by = ANY(people)
        {subjects}
    ) s JOIN people p ON p.id = s.person_id AND p.erased_at IS NOT NULL
    WHERE e.subject_type = s.noun AND e.subject_id = s.id AND e.reason <> ''
      AND (e.subject_type <> 'merchant' OR e.to_state = 'declined');
    UPDATE case_entries e SET text = ''
    FROM cases c JOIN people p ON p.id = c.created_by
    WHERE c.id = e.case_id AND p.id = ANY(people) AND p.erased_at IS NOT NULL AND e.text <> '';
    UPDATE cases c SET reason = '', answer = CASE WHEN c.answer IS NOT NULL THEN '' END
    FROM people p
    WHERE p.id = c.created_by AND p.id = ANY(people) AND p.erased_at IS NOT NULL;
    UPDATE corrections c SET reason = ''
    FROM checkins k JOIN people p ON p.id = k.person_id
    WHERE k.id = c.checkin_id AND p.id = ANY(people) AND p.erased_at IS NOT NULL
      AND c.reason <> '';
    UPDATE merchant_visits v SET note = ''
    FROM merchants m JOIN people p ON p.id = m.applied_by
    WHERE m.id = v.merchant_id AND p.id = ANY(people) AND p.erased_at IS NOT NULL
      AND v.note <> '';
$$
"""
_SUBJECTS = """UNION ALL
        SELECT 'person_category', g.id, g.person_id FROM person_categories g
        WHERE g.person_id = ANY(people)"""
CATEGORIES = (
    "'volunteer', 'council', 'club_core', 'rider', 'student', 'emergency_team', 'blood_donor'"
)


def upgrade() -> None:
    op.create_table(
        "courtesies",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=True),
        sa.Column("details", sa.String(length=500), nullable=True),
        sa.Column("venue", sa.String(length=100), nullable=True),
        sa.Column("period", sa.String(length=20), nullable=False),
        sa.Column("choice_group", sa.String(length=40), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="draft", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "period IN ('month', 'quarter', 'year', 'run')", name=op.f("ck_courtesies_period")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'published', 'ended')", name=op.f("ck_courtesies_state")
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_courtesies_times")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_courtesies_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_courtesies_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courtesies")),
    )
    op.create_index(
        "ix_courtesies_open",
        "courtesies",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_index("ix_courtesies_org", "courtesies", ["org_id", "id"], unique=False)
    op.create_table(
        "courtesy_grants",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=True),
        sa.Column("claim_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="granted", nullable=False),
        sa.CheckConstraint(
            f"category IN ({CATEGORIES})",
            name=op.f("ck_courtesy_grants_category"),
        ),
        sa.CheckConstraint(
            "state IN ('granted', 'revoked')", name=op.f("ck_courtesy_grants_state")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_courtesy_grants_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_courtesy_grants_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courtesy_grants")),
    )
    op.create_index("ix_courtesy_grants_org", "courtesy_grants", ["org_id", "id"], unique=False)
    op.create_table(
        "person_categories",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            f"category IN ({CATEGORIES})",
            name=op.f("ck_person_categories_category"),
        ),
        sa.CheckConstraint("person_id <> created_by", name=op.f("ck_person_categories_own")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_person_categories_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_person_categories_org_id")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_person_categories_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_categories")),
    )
    op.create_index("ix_person_categories_org", "person_categories", ["org_id", "id"], unique=False)
    op.create_index(
        "ix_person_categories_own", "person_categories", ["person_id", "id"], unique=False
    )
    op.create_index(
        "uq_person_categories_person",
        "person_categories",
        ["person_id", "org_id", "category"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "courtesy_cells",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("courtesy_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=True),
        sa.Column("min_tier", sa.String(length=40), nullable=True),
        sa.Column("quota", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            f"category IN ({CATEGORIES})",
            name=op.f("ck_courtesy_cells_category"),
        ),
        sa.CheckConstraint("quota > 0", name=op.f("ck_courtesy_cells_quota")),
        sa.ForeignKeyConstraint(
            ["courtesy_id"],
            ["courtesies.id"],
            name=op.f("fk_courtesy_cells_courtesy_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courtesy_cells")),
        sa.UniqueConstraint(
            "courtesy_id",
            "category",
            "min_tier",
            name=op.f("uq_courtesy_cells_courtesy_id_category_min_tier"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "courtesy_claims",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("courtesy_id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("choice_group", sa.String(length=40), nullable=True),
        sa.Column("choice_year", sa.Integer(), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="claimed", nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "merchant_id IS NULL OR state = 'used'", name=op.f("ck_courtesy_claims_place")
        ),
        sa.CheckConstraint(
            "num_nonnulls(used_at, used_by) = CASE WHEN state = 'used' THEN 2 ELSE 0 END",
            name=op.f("ck_courtesy_claims_used"),
        ),
        sa.CheckConstraint(
            "state IN ('claimed', 'used', 'cancelled')", name=op.f("ck_courtesy_claims_state")
        ),
        sa.CheckConstraint(
            "num_nonnulls(choice_group, choice_year) IN (0, 2)",
            name=op.f("ck_courtesy_claims_choice"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(number, grant_id) = 1", name=op.f("ck_courtesy_claims_origin")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_courtesy_claims_number")),
        sa.CheckConstraint("used_by <> created_by", name=op.f("ck_courtesy_claims_own")),
        sa.ForeignKeyConstraint(
            ["courtesy_id"], ["courtesies.id"], name=op.f("fk_courtesy_claims_courtesy_id")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_courtesy_claims_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["courtesy_grants.id"], name=op.f("fk_courtesy_claims_grant_id")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_courtesy_claims_merchant_id")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_courtesy_claims_org_id")),
        sa.ForeignKeyConstraint(
            ["used_by"], ["people.id"], name=op.f("fk_courtesy_claims_used_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courtesy_claims")),
    )
    op.create_index(
        "ix_courtesy_claims_merchant", "courtesy_claims", ["merchant_id", "id"], unique=False
    )
    op.create_index("ix_courtesy_claims_org", "courtesy_claims", ["org_id", "id"], unique=False)
    op.create_index("ix_courtesy_claims_own", "courtesy_claims", ["created_by", "id"], unique=False)
    op.create_index(
        "uq_courtesy_claims_choice",
        "courtesy_claims",
        ["created_by", "org_id", "choice_group", "choice_year"],
        unique=True,
        postgresql_where=sa.text("state <> 'cancelled' AND choice_group IS NOT NULL"),
    )
    op.create_index(
        "uq_courtesy_claims_grant",
        "courtesy_claims",
        ["created_by", "grant_id", "courtesy_id"],
        unique=True,
        postgresql_where=sa.text("grant_id IS NOT NULL"),
    )
    op.create_index(
        "uq_courtesy_claims_quota",
        "courtesy_claims",
        ["created_by", "courtesy_id", "period_start", "number"],
        unique=True,
        postgresql_where=sa.text("state <> 'cancelled' AND number IS NOT NULL"),
    )
    op.create_table(
        "courtesy_grant_items",
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("courtesy_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["courtesy_id"], ["courtesies.id"], name=op.f("fk_courtesy_grant_items_courtesy_id")
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["courtesy_grants.id"], name=op.f("fk_courtesy_grant_items_grant_id")
        ),
        sa.PrimaryKeyConstraint("grant_id", "courtesy_id", name=op.f("pk_courtesy_grant_items")),
    )
    op.create_table(
        "courtesy_grantees",
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["courtesy_grants.id"], name=op.f("fk_courtesy_grantees_grant_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_courtesy_grantees_person_id")
        ),
        sa.PrimaryKeyConstraint("grant_id", "person_id", name=op.f("pk_courtesy_grantees")),
    )
    op.create_index(
        "ix_courtesy_grantees_person", "courtesy_grantees", ["person_id", "grant_id"], unique=False
    )
    op.create_table(
        "courtesy_places",
        sa.Column("courtesy_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["courtesy_id"],
            ["courtesies.id"],
            name=op.f("fk_courtesy_places_courtesy_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_courtesy_places_merchant_id")
        ),
        sa.PrimaryKeyConstraint("courtesy_id", "merchant_id", name=op.f("pk_courtesy_places")),
    )
    op.create_index(
        op.f("ix_courtesy_places_merchant_id"), "courtesy_places", ["merchant_id"], unique=False
    )
    op.execute(_ERASE_TEXTS.format(subjects=_SUBJECTS))
    op.execute("GRANT SELECT, INSERT, UPDATE ON courtesies TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE (state) ON courtesy_grants TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON person_categories TO qx_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON courtesy_cells TO qx_app")
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (state, used_at, used_by, merchant_id) ON courtesy_claims TO qx_app"
    )
    op.execute("GRANT SELECT, INSERT ON courtesy_grant_items TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE (claimed_at) ON courtesy_grantees TO qx_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON courtesy_places TO qx_app")


def downgrade() -> None:
    op.execute(_ERASE_TEXTS.format(subjects=""))
    op.drop_index(op.f("ix_courtesy_places_merchant_id"), table_name="courtesy_places")
    op.drop_table("courtesy_places")
    op.drop_index("ix_courtesy_grantees_person", table_name="courtesy_grantees")
    op.drop_table("courtesy_grantees")
    op.drop_table("courtesy_grant_items")
    op.drop_index(
        "uq_courtesy_claims_quota",
        table_name="courtesy_claims",
        postgresql_where=sa.text("state <> 'cancelled' AND number IS NOT NULL"),
    )
    op.drop_index(
        "uq_courtesy_claims_grant",
        table_name="courtesy_claims",
        postgresql_where=sa.text("grant_id IS NOT NULL"),
    )
    op.drop_index(
        "uq_courtesy_claims_choice",
        table_name="courtesy_claims",
        postgresql_where=sa.text("state <> 'cancelled' AND choice_group IS NOT NULL"),
    )
    op.drop_index("ix_courtesy_claims_own", table_name="courtesy_claims")
    op.drop_index("ix_courtesy_claims_org", table_name="courtesy_claims")
    op.drop_index("ix_courtesy_claims_merchant", table_name="courtesy_claims")
    op.drop_table("courtesy_claims")
    op.drop_table("courtesy_cells")
    op.drop_index(
        "uq_person_categories_person",
        table_name="person_categories",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index("ix_person_categories_own", table_name="person_categories")
    op.drop_index("ix_person_categories_org", table_name="person_categories")
    op.drop_table("person_categories")
    op.drop_index("ix_courtesy_grants_org", table_name="courtesy_grants")
    op.drop_table("courtesy_grants")
    op.drop_index("ix_courtesies_org", table_name="courtesies")
    op.drop_index(
        "ix_courtesies_open",
        table_name="courtesies",
        postgresql_where=sa.text("state = 'published'"),
    )
    op.drop_table("courtesies")
