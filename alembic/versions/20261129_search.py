"""Words of activities: of title, place, organisation and description, spelled in one way.

Written while the service runs, in steps that may be repeated: the triggers come first, what was
there is indexed afterwards, a thousand activities at a time, each lot in its own transaction. The
characters and pairs of titles leave ``activity_lists``.

Revision ID: 20261129_search
Revises: 20261129_drafts_and_days
"""

import json
from importlib.resources import files

import sqlalchemy as sa

from alembic import op

revision = "20261129_search"
down_revision = "20261129_drafts_and_days"
branch_labels = None
depends_on = None


def _simplified() -> str:
    """Return the simplified characters by the traditional ones, as JSON."""
    lines = files("app.data").joinpath("traditional.txt").read_text("utf-8").splitlines()
    pairs = [pair for line in lines if not line.startswith("#") for pair in line.split()]
    return json.dumps(dict(pairs), ensure_ascii=False)


# Returns the words, each between spaces. A word is a run of letters, digits and symbols; it ends
# where a script without spaces between words begins, which are those from U+2E80 on. Invisible
# characters are left out.
TEXT = rf"""
CREATE OR REPLACE FUNCTION search_text(VARIADIC parts text[])
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH folded AS (
        SELECT regexp_replace(
            casefold(normalize(array_to_string(parts, ' '), NFKC) COLLATE pg_unicode_fast),
            '[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f'
            '\ufeff\U000e0000-\U000e0fff]', '', 'g') AS text
    ), simplified AS (
        SELECT string_agg(coalesce(pairs ->> c, c), '' ORDER BY n) AS text
        FROM folded, (VALUES (CAST('{_simplified()}' AS jsonb))) AS known(pairs),
             string_to_table(folded.text, NULL) WITH ORDINALITY AS s(c, n)
    )
    SELECT ' ' || coalesce(string_agg(w[1], ' ' ORDER BY n) || ' ', '')
    FROM simplified, regexp_matches(
        regexp_replace(
            text COLLATE pg_unicode_fast, '[[:punct:][:space:][:cntrl:]]+', ' ', 'g'
        ),
        '[^ \u2e80-\U0010ffff]+|[\u2e80-\U0010ffff]+', 'g'
    ) WITH ORDINALITY AS m(w, n)
$$
"""
# Beginnings of words, up to 8 characters; from U+2E80 on each character and pair of neighbours.
WORDS = """
CREATE OR REPLACE FUNCTION search_words(text text)
RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(word, n)
    FROM string_to_table(text, ' ') word, generate_series(1, least(length(word), 8)) n
    WHERE word COLLATE "C" < U&'\\2e80'
    UNION
    SELECT word
    FROM (
        SELECT c, lead(c) OVER (ORDER BY n) AS next FROM string_to_table(text, NULL)
        WITH ORDINALITY AS s(c, n)
    ) pairs, unnest(ARRAY[c, CASE WHEN next COLLATE "C" >= U&'\\2e80' THEN c || next END]) word
    WHERE c COLLATE "C" >= U&'\\2e80' AND word IS NOT NULL
$$
"""
# ``words``: an activity that has all of q is under each. ``terms``: what its text contains then.
ASKED = """
CREATE OR REPLACE FUNCTION search_asked(q text, OUT words text[], OUT terms text[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH asked AS (
        SELECT DISTINCT word, word COLLATE "C" < U&'\\2e80' AS is_spaced
        FROM string_to_table(btrim(search_text(q)), ' ') word WHERE word <> ''
    )
    SELECT ARRAY(
               SELECT left(word, 8) FROM asked WHERE is_spaced
               UNION
               SELECT substr(word, i, 2)
               FROM asked, generate_series(1, greatest(length(word) - 1, 1)) i WHERE NOT is_spaced
           ),
           ARRAY(SELECT CASE WHEN is_spaced THEN ' ' || word ELSE word END FROM asked)
$$
"""
INDEX = """
CREATE OR REPLACE FUNCTION index_activity(indexed activities) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    found text;
BEGIN
    SELECT search_text(indexed.title, indexed.location_name, name, indexed.description)
    INTO found FROM orgs WHERE id = indexed.org_id;
    INSERT INTO activity_texts (activity_id, text) VALUES (indexed.id, found)
    ON CONFLICT (activity_id) DO UPDATE SET text = excluded.text;
    DELETE FROM activity_words WHERE activity_id = indexed.id;
    INSERT INTO activity_words (word, starts_at, activity_id)
    SELECT word, indexed.starts_at, indexed.id FROM search_words(found) word;
END
$$
"""
# SECURITY DEFINER: the service's role may read the words, and nobody may write them but these.
# The lock: a renaming, which does not see this activity before the commit, waits for it. An edit
# needs none, and would wait for a renaming that waits for it.
FOLLOW_ACTIVITY = """
CREATE OR REPLACE FUNCTION index_changed_activity() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM FROM orgs WHERE id = NEW.org_id FOR SHARE;
    END IF;
    PERFORM index_activity(NEW);
    RETURN NULL;
END
$$
"""
ACTIVITY_TRIGGER = """
CREATE OR REPLACE TRIGGER index_activity
AFTER INSERT OR UPDATE OF title, description, location_name, org_id, starts_at ON activities
FOR EACH ROW EXECUTE FUNCTION index_changed_activity()
"""
# The lock: edits and deletions, which lock the activity, come before or after this.
FOLLOW_ORG = """
CREATE OR REPLACE FUNCTION index_activities_of_org() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    activity activities;
BEGIN
    FOR activity IN SELECT * FROM activities WHERE org_id = NEW.id ORDER BY id FOR KEY SHARE LOOP
        PERFORM index_activity(activity);
    END LOOP;
    RETURN NULL;
END
$$
"""
ORG_TRIGGER = """
CREATE OR REPLACE TRIGGER index_activities
AFTER UPDATE OF name ON orgs FOR EACH ROW WHEN (OLD.name <> NEW.name)
EXECUTE FUNCTION index_activities_of_org()
"""
# The lists of before, without the title.
LISTS_OF = """
CREATE OR REPLACE FUNCTION lists_of_activity(org_path text, category text)
RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(org_path, i) || suffix
    FROM generate_series(1, length(org_path)) i, unnest(ARRAY['', category]) suffix
    WHERE substr(org_path, i, 1) = '/'
$$
"""
LISTS_OF_BEFORE = """
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
ENLIST = """
CREATE OR REPLACE FUNCTION enlist_activity() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM activity_lists WHERE activity_id = NEW.id;
    END IF;
    INSERT INTO activity_lists (list, status, starts_at, activity_id)
    SELECT list, NEW.status, NEW.starts_at, NEW.id
    FROM lists_of_activity({arguments}) list;
    RETURN NULL;
END
$$
"""
ENLIST_TRIGGER = """
CREATE OR REPLACE TRIGGER enlist_activity
AFTER INSERT OR UPDATE OF {columns} ON activities
FOR EACH ROW EXECUTE FUNCTION enlist_activity()
"""
# The shared lock makes a writer wait for the lot, never read what is about to change.
BY_LOTS = """
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
        {statements};
        last := lot[array_upper(lot, 1)];
        COMMIT;
    END LOOP;
END
$$
"""
INDEX_LOT = """
DELETE FROM activity_lists WHERE activity_id = ANY(lot) AND list ^@ '~';
PERFORM FROM orgs WHERE id IN (SELECT org_id FROM activities a WHERE a.id = ANY(lot)) FOR SHARE;
PERFORM index_activity(a) FROM activities a WHERE a.id = ANY(lot)
"""
ENLIST_LOT = """
INSERT INTO activity_lists (list, status, starts_at, activity_id)
SELECT list, a.status, a.starts_at, a.id
FROM activities a, lists_of_activity(a.org_path, a.category, a.title) list
WHERE a.id = ANY(lot)
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    op.create_table(
        "activity_texts",
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _of_activity("activity_texts"),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_activity_texts")),
        if_not_exists=True,
    )
    op.create_table(
        "activity_words",
        sa.Column("word", sa.Text(collation="C"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        _of_activity("activity_words"),
        sa.PrimaryKeyConstraint("word", "starts_at", "activity_id", name=op.f("pk_activity_words")),
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_activity_words_activity_id"), "activity_words", ["activity_id"], if_not_exists=True
    )
    op.execute("GRANT SELECT ON activity_texts, activity_words TO qx_app")
    for statement in (TEXT, WORDS, ASKED, INDEX, FOLLOW_ACTIVITY, FOLLOW_ORG, LISTS_OF):
        op.execute(statement)
    op.execute(ENLIST.format(arguments="NEW.org_path, NEW.category"))
    op.execute(ENLIST_TRIGGER.format(columns="org_path, category, status, starts_at"))
    op.execute("DROP FUNCTION IF EXISTS lists_of_activity(text, text, text)")
    op.execute(ACTIVITY_TRIGGER)
    op.execute(ORG_TRIGGER)
    with op.get_context().autocommit_block():
        op.execute(BY_LOTS.format(statements=INDEX_LOT))


def _of_activity(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["activity_id"],
        ["activities.id"],
        name=op.f(f"fk_{table}_activity_id"),
        ondelete="CASCADE",
    )


def downgrade() -> None:
    op.execute(LISTS_OF_BEFORE)
    op.execute(ENLIST.format(arguments="NEW.org_path, NEW.category, NEW.title"))
    op.execute(ENLIST_TRIGGER.format(columns="org_path, category, title, status, starts_at"))
    with op.get_context().autocommit_block():
        op.execute(BY_LOTS.format(statements=ENLIST_LOT))
    op.execute("DROP FUNCTION IF EXISTS lists_of_activity(text, text)")
    op.execute("DROP TRIGGER IF EXISTS index_activity ON activities")
    op.execute("DROP TRIGGER IF EXISTS index_activities ON orgs")
    for function in (
        *("index_changed_activity()", "index_activities_of_org()", "index_activity(activities)"),
        *("search_asked(text)", "search_words(text)", "search_text(text[])"),
    ):
        op.execute(f"DROP FUNCTION IF EXISTS {function}")
    op.execute("DROP TABLE IF EXISTS activity_words")
    op.execute("DROP TABLE IF EXISTS activity_texts")
