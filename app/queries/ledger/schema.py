# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of the schema: constraints of the models and triggers of the migrations are in force.

By name and kind: PostgreSQL writes the text of a CHECK in another form than the models, and in yet
another after a restore. The body of a trigger's function is kept as it was written, so its hash is
compared.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.dialects.postgresql.base import PGDialect

from app.models.base import metadata
from app.queries.ledger.checking import Check

_KINDS: dict[type[Constraint], str] = {
    CheckConstraint: "c",
    ExcludeConstraint: "x",
    ForeignKeyConstraint: "f",
    PrimaryKeyConstraint: "p",
    UniqueConstraint: "u",
}
# Table, trigger, function and SHA-256 of its body: what the migration wrote between the quotes.
_TRIGGERS = (
    (
        *("cases", "cases_entry", "demand_case_entry"),
        "22ab704705c55d00b10e5792a50c2c7d58a6a3588f96c974e8a4155dcbf49ae6",
    ),
    (
        *("ledger_transfers", "refuse_closed_days", "refuse_closed_days"),
        "048fcff03212ff3741223a62327af225ddcb53e40e785030eef0db04397023af",
    ),
)
_NAMES = PGDialect().identifier_preparer  # type: ignore[no-untyped-call]


def _constraints() -> Iterator[tuple[str, ...]]:
    for table in metadata.sorted_tables:
        for one in table.constraints:
            yield table.name, str(_NAMES.format_constraint(one)), _KINDS[type(one)]


def _required() -> Iterator[tuple[str, ...]]:
    for table in metadata.sorted_tables:
        yield from ((table.name, one.name) for one in table.columns if not one.nullable)


def _unique_indexes() -> Iterator[tuple[str, ...]]:
    for table in metadata.sorted_tables:
        yield from ((table.name, str(one.name)) for one in table.indexes if one.unique)


def _values(rows: Iterable[tuple[str, ...]]) -> str:
    quoted = (", ".join(f"'{value}'" for value in row) for row in sorted(rows))
    return ", ".join(f"({row})" for row in quoted)


SCHEMA_CHECKS = (
    Check(
        "schema: each constraint is there and in force",
        f"""
        SELECT concat_ws(' ', 'constraint', k.name, 'of', k.place) AS subject,
               'in force' AS expected,
               CASE WHEN c.oid IS NULL THEN 'none' ELSE 'not in force' END AS found
        FROM (VALUES {_values(_constraints())}) AS k(place, name, kind)
        LEFT JOIN pg_constraint c
          ON c.conrelid = to_regclass(k.place) AND c.conname = k.name
         AND c.contype = CAST(k.kind AS "char")
        WHERE (c.convalidated AND c.conenforced) IS NOT TRUE OR EXISTS (
            SELECT FROM pg_trigger t
            WHERE t.tgconstraint = c.oid AND t.tgenabled NOT IN ('O', 'A'))
        """,
    ),
    Check(
        "schema: each column that must have a value is NOT NULL",
        f"""
        SELECT concat_ws(' ', 'column', k.name, 'of', k.place) AS subject,
               'NOT NULL' AS expected, NULL AS found
        FROM (VALUES {_values(_required())}) AS k(place, name)
        LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(k.place) AND a.attname = k.name
        WHERE a.attnotnull IS NOT TRUE
        """,
    ),
    Check(
        "schema: each unique index is there and valid",
        f"""
        SELECT concat_ws(' ', 'index', k.name, 'of', k.place) AS subject,
               'unique' AS expected, NULL AS found
        FROM (VALUES {_values(_unique_indexes())}) AS k(place, name)
        LEFT JOIN pg_index i
          ON i.indexrelid = to_regclass(k.name) AND i.indrelid = to_regclass(k.place)
        WHERE (i.indisunique AND i.indisvalid) IS NOT TRUE
        """,
    ),
    Check(
        "schema: each trigger is enabled and does what its migration wrote",
        f"""
        SELECT concat_ws(' ', 'trigger', k.name, 'of', k.place) AS subject,
               'enabled, with the function ' || k.function AS expected,
               concat_ws(' ', t.tgenabled, p.proname, p.hash) AS found
        FROM (VALUES {_values(_TRIGGERS)}) AS k(place, name, function, hash)
        LEFT JOIN pg_trigger t ON t.tgrelid = to_regclass(k.place) AND t.tgname = k.name
        LEFT JOIN (
            SELECT oid, proname, encode(sha256(convert_to(prosrc, 'UTF8')), 'hex') AS hash
            FROM pg_proc
        ) p ON p.oid = t.tgfoid
        WHERE (t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL AND p.proname = k.function
               AND p.hash = k.hash) IS NOT TRUE
        """,
    ),
)
