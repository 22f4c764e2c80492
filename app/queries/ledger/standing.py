# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of what everything else refers to: units, organisations, people, cards."""

from sqlalchemy import Table

from app.models.base import metadata
from app.models.ledger import UNIT_OF_HOURS
from app.queries.ledger.checking import Check

# Nobody's points depend on these (docs/security.md), and some are large.
BESIDE_POINTS = (
    *(
        "activity_lists",
        "activity_texts",
        "activity_words",
        "attachments",
        "card_codes",
        "expiry_notices",
        "form_answers",
        "job_runs",
        "notices",
    ),
    *("outbox", "quotas", "refresh_tokens", "seal_publications", "secret_checks"),
    *("signup_reminders", "token_families", "web_logins"),
)
# Each row of these is compared with what it names by other checks, and they are large.
_COMPARED = (
    *("attended_times", "audit_entries", "award_reviews", "awards", "checkins"),
    *("idempotency_keys", "signups"),
)


def _references() -> str:
    """Return SQL of the rows whose foreign key names no row, of tables that bear points.

    PostgreSQL guards them, unless a superuser turns its triggers off.
    """
    return " UNION ALL ".join(
        f"SELECT concat_ws(' ', '{table.name}', {_key_of(table)}) AS subject,"
        f" '{key.column}' AS expected, CAST(t.{key.parent.name} AS text) AS found"
        f" FROM {table.name} t"
        f" LEFT JOIN {key.column.table.name} r ON r.{key.column.name} = t.{key.parent.name}"
        f" WHERE t.{key.parent.name} IS NOT NULL AND r.{key.column.name} IS NULL"
        for table in metadata.sorted_tables
        if table.name not in (*BESIDE_POINTS, *_COMPARED)
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name)
    )


def _key_of(table: Table) -> str:
    return ", ".join(f"t.{column.name}" for column in table.primary_key)


STANDING_CHECKS = (
    Check("references: each names a row that is there", f"SELECT * FROM ({_references()}) x"),
    Check(
        "units: 1 is points and 2 is minutes",
        f"""
        SELECT 'unit ' || k.id AS subject, k.code AS expected, u.code AS found
        FROM (VALUES (1, 'points'), (2, '{UNIT_OF_HOURS}')) AS k(id, code)
        LEFT JOIN ledger_units u ON u.id = k.id
        WHERE u.code IS DISTINCT FROM k.code
        """,
    ),
    Check(
        "organisations: the path of each goes on from its parent's",
        """
        SELECT 'organisation ' || o.id AS subject, p.path || o.code || '/' AS expected,
               o.path AS found
        FROM orgs o LEFT JOIN orgs p ON p.id = o.parent_id
        WHERE o.path <> coalesce(p.path, '/') || o.code || '/'
        """,
    ),
    Check(
        "activities: the path of each is that of its organisation",
        """
        SELECT 'activity ' || a.id AS subject, o.path AS expected, a.org_path AS found
        FROM activities a JOIN orgs o ON o.id = a.org_id WHERE a.org_path <> o.path
        """,
    ),
    Check(
        "people: each has a card",
        """
        SELECT 'person ' || p.id AS subject, 'a card' AS expected, NULL AS found
        FROM people p LEFT JOIN cards c ON c.person_id = p.id WHERE c.person_id IS NULL
        """,
    ),
)
