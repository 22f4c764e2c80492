"""The lists in which an activity stands, and two indexes of a person's and a merchant's pages.

Written while the service runs: the trigger comes first, so that whatever is written from
then on is listed; what was there is listed afterwards, a thousand at a time, each lot in a
transaction of its own. Not one transaction in all, so every step may be repeated after a
failure half-way.

Revision ID: 20261122_activity_lists
Revises: 20261122_core_tables
"""

import sqlalchemy as sa

from alembic import op

revision = "20261122_activity_lists"
down_revision = "20261122_core_tables"
branch_labels = None
depends_on = None

# '/31/310101/' gives '/', '/31/' and '/31/310101/', each alone and with the category; the
# title gives its characters and pairs of neighbours.
LISTS_OF = """
CREATE OR REPLACE FUNCTION lists_of_activity(org_path text, category text, title text)
RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(org_path, i) || suffix
    FROM generate_series(1, length(org_path)) i, unnest(ARRAY['', category]) suffix
    WHERE substr(org_path, i, 1) = '/'
    UNION
    SELECT '~' || substr(title, i, n)
    FROM generate_series(1, length(title)) i, generate_series(1, 2) n
    WHERE i + n <= length(title) + 1
$$
"""
# SECURITY DEFINER: the service's role may read the lists, and nobody may write them but this.
ENLIST = """
CREATE OR REPLACE FUNCTION enlist_activity() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM activity_lists WHERE activity_id = NEW.id;
    END IF;
    INSERT INTO activity_lists (list, status, starts_at, activity_id)
    SELECT list, NEW.status, NEW.starts_at, NEW.id
    FROM lists_of_activity(NEW.org_path, NEW.category, NEW.title) list;
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER enlist_activity
AFTER INSERT OR UPDATE OF org_path, category, title, status, starts_at ON activities
FOR EACH ROW EXECUTE FUNCTION enlist_activity()
"""
# The shared lock makes a writer wait for the lot, never read what is about to change.
ENLIST_ALL = """
DO $$
DECLARE
    last uuid := '00000000-0000-0000-0000-000000000000';
    lot uuid[];
BEGIN
    LOOP
        SELECT array_agg(id) INTO lot FROM (
            SELECT id FROM activities WHERE id > last ORDER BY id LIMIT 1000 FOR SHARE
        ) a;
        EXIT WHEN lot IS NULL;
        INSERT INTO activity_lists (list, status, starts_at, activity_id)
        SELECT list, a.status, a.starts_at, a.id
        FROM activities a, lists_of_activity(a.org_path, a.category, a.title) list
        WHERE a.id = ANY(lot)
        ON CONFLICT DO NOTHING;
        last := lot[array_upper(lot, 1)];
        COMMIT;
    END LOOP;
END
$$
"""
REFUNDED = sa.text("refunded_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "activity_lists",
        sa.Column("list", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["activities.id"],
            name=op.f("fk_activity_lists_activity_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "list", "status", "starts_at", "activity_id", name=op.f("pk_activity_lists")
        ),
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_activity_lists_activity_id"), "activity_lists", ["activity_id"], if_not_exists=True
    )
    op.execute("GRANT SELECT ON activity_lists TO qx_app")
    for statement in (LISTS_OF, ENLIST, TRIGGER):
        op.execute(statement)
    with op.get_context().autocommit_block():
        op.execute(ENLIST_ALL)
        _index("ix_redemptions_person", "redemptions", ["person_id", "id"])
        _index("ix_charges_refunded", "charges", ["merchant_id", "refunded_at"], REFUNDED)
        _drop("ix_activities_listing", "activities")
        _drop("ix_activities_org_path", "activities")


def _index(name: str, table: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    """Build without locking out writers. One that was left half-built is dropped first."""
    _drop(name, table)
    op.create_index(name, table, columns, postgresql_concurrently=True, postgresql_where=where)


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        _index("ix_activities_org_path", "activities", ["org_path", "starts_at", "id"])
        _index("ix_activities_listing", "activities", ["status", "starts_at", "id"])
        _drop("ix_charges_refunded", "charges")
        _drop("ix_redemptions_person", "redemptions")
    op.execute("DROP TRIGGER IF EXISTS enlist_activity ON activities")
    op.execute("DROP FUNCTION IF EXISTS enlist_activity()")
    op.execute("DROP FUNCTION IF EXISTS lists_of_activity(text, text, text)")
    op.execute("DROP TABLE IF EXISTS activity_lists")
