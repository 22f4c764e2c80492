"""The points rules as documents: one TOML text a version instead of rows in three tables.

What was published stays in force: its rows are written as a document. Going back gives the
rows of it again, as far as rows can say what a document says.

Revision ID: 20261122_policy_documents
Revises: 20261122_activity_lists
"""

import json
import tomllib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261122_policy_documents"
down_revision = "20261122_activity_lists"
branch_labels = None
depends_on = None

PERIODS = ("day", "month", "year")
# What the code said before the documents did.
FIXED = """
[release.rotating_code]
[release.device]
[release.steward_scan]
[release.poster_code]
wait_hours = 24
[release.manual]
reviewers = 1
"""
EMERGENCY, ON_TOP = "taskforce_emergency", ("professional_service", "duty_shift")


def upgrade() -> None:
    op.add_column("policies", sa.Column("org_id", sa.Uuid(), nullable=True))
    op.add_column("policies", sa.Column("published_by", sa.Uuid(), nullable=True))
    op.add_column("policies", sa.Column("source", sa.Text(), nullable=True))
    connection = op.get_bind()
    for policy in connection.execute(sa.text("SELECT * FROM policies")).mappings().all():
        connection.execute(
            sa.text("UPDATE policies SET source = :source WHERE version = :version"),
            {"version": policy["version"], "source": _document(policy)},
        )
    op.alter_column("policies", "source", nullable=False)
    op.create_foreign_key(op.f("fk_policies_org_id"), "policies", "orgs", ["org_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_policies_published_by"), "policies", "people", ["published_by"], ["id"]
    )
    op.drop_table("policy_rules")
    op.drop_table("policy_tiers")
    for name in ("cap_day", "cap_order"):
        op.drop_constraint(op.f(f"ck_policies_{name}"), "policies", type_="check")
    for column in ("cap_day", "emergency_cap_day", "cap_month", "cap_year", "lot_months"):
        op.drop_column("policies", column)
    # A version is published once and never changed.
    op.execute("REVOKE UPDATE, DELETE ON policies FROM qx_app")


def _document(policy: Any) -> str:
    lines = [
        '[programme]\nname = "青年积分管理办法"\nunit = "points"\n\n[caps]',
        *(f"{period} = {policy[f'cap_{period}']}" for period in PERIODS),
        f"emergency_day = {policy['emergency_cap_day']}",
        f"\n[lots]\nmonths = {policy['lot_months']}\n{FIXED}",
    ]
    of = {"version": policy["version"]}
    query = sa.text("SELECT * FROM policy_rules WHERE version = :version ORDER BY key")
    for rule in op.get_bind().execute(query, of).mappings():
        caps = [f"{p} = {rule[f'cap_{p}']}" for p in PERIODS if rule[f"cap_{p}"] is not None]
        hours = rule["category"] == "volunteer" and rule["per"] == "hour"
        lines += [
            f"[rules.{rule['key']}]\nname = {_text(rule['name_zh'])}",
            f"category = {_text(rule['category'])}\nper = {_text(rule['per'])}",
            f"points = {rule['points']}\ncap = {{ {', '.join(caps)} }}",
            f"evidence = [{', '.join(_text(name) for name in rule['evidence'])}]",
            *([f"note = {_text(rule['notes'])}"] if rule["notes"] else []),
            *(["hours = true"] if hours and rule["key"] not in ON_TOP else []),
            *(["emergency = true"] if rule["key"] == EMERGENCY else []),
        ]
    query = sa.text("SELECT * FROM policy_tiers WHERE version = :version ORDER BY rank")
    for tier in op.get_bind().execute(query, of).mappings():
        lines += [
            f"[[tiers]]\nkey = {_text(tier['key'])}\nname = {_text(tier['name_zh'])}",
            f"points_12m = {tier['min_points_12m']}\nhours_12m = {tier['min_hours_12m']}",
            f"benefits = {_text(tier['benefits_zh'])}",
        ]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """Quote for TOML, whose basic strings JSON's are."""
    return json.dumps(value, ensure_ascii=False)


def downgrade() -> None:
    op.execute("GRANT UPDATE, DELETE ON policies TO qx_app")
    for column in ("cap_day", "emergency_cap_day", "cap_month", "cap_year", "lot_months"):
        op.add_column("policies", sa.Column(column, sa.Integer(), nullable=True))
    _create_rows()
    query = sa.text("SELECT version, source FROM policies")
    for version, source in op.get_bind().execute(query).all():
        _write_rows(version, tomllib.loads(source))
    # The tightening of an organisation below has no rows: it goes.
    op.execute("DELETE FROM policies WHERE cap_day IS NULL")
    for column in ("cap_day", "emergency_cap_day", "cap_month", "cap_year", "lot_months"):
        op.alter_column("policies", column, nullable=False)
    op.create_check_constraint(
        op.f("ck_policies_cap_day"), "policies", "0 < cap_day AND cap_day <= emergency_cap_day"
    )
    op.create_check_constraint(
        op.f("ck_policies_cap_order"),
        "policies",
        "cap_day <= cap_month AND cap_month <= cap_year",
    )
    for column in ("source", "published_by", "org_id"):
        op.drop_column("policies", column)


def _create_rows() -> None:
    op.create_table(
        "policy_rules",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("per", sa.String(length=20), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("cap_day", sa.Integer(), nullable=True),
        sa.Column("cap_month", sa.Integer(), nullable=True),
        sa.Column("cap_year", sa.Integer(), nullable=True),
        sa.Column("evidence", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("notes", sa.String(length=300), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_policy_rules_points")),
        sa.ForeignKeyConstraint(
            ["version"], ["policies.version"], name=op.f("fk_policy_rules_version")
        ),
        sa.PrimaryKeyConstraint("version", "key", name=op.f("pk_policy_rules")),
    )
    op.create_table(
        "policy_tiers",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=20), nullable=False),
        sa.Column("name_zh", sa.String(length=20), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("min_points_12m", sa.Integer(), nullable=False),
        sa.Column("min_hours_12m", sa.Integer(), nullable=False),
        sa.Column("benefits_zh", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["version"], ["policies.version"], name=op.f("fk_policy_tiers_version")
        ),
        sa.PrimaryKeyConstraint("version", "key", name=op.f("pk_policy_tiers")),
    )
    for table in ("policy_rules", "policy_tiers"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO qx_app")


def _write_rows(version: int, document: dict[str, Any]) -> None:
    if "programme" not in document:
        return
    caps = document["caps"]
    op.execute(
        sa.text(
            "UPDATE policies SET cap_day = :day, emergency_cap_day = :emergency_day,"
            " cap_month = :month, cap_year = :year, lot_months = :months WHERE version = :version"
        ).bindparams(**caps, months=document["lots"]["months"], version=version)
    )
    for key, rule in document["rules"].items():
        op.execute(
            sa.text(
                "INSERT INTO policy_rules VALUES (:version, :key, :name, :category, :per, :points,"
                " :day, :month, :year, :evidence, :note)"
            ).bindparams(
                version=version,
                key=key,
                evidence=rule.get("evidence", []),
                note=rule.get("note", ""),
                **{name: rule[name] for name in ("name", "category", "per", "points")},
                **{period: rule.get("cap", {}).get(period) for period in PERIODS},
            )
        )
    for rank, tier in enumerate(document["tiers"], start=1):
        op.execute(
            sa.text(
                "INSERT INTO policy_tiers VALUES (:version, :key, :name, :rank, :points_12m,"
                " :hours_12m, :benefits)"
            ).bindparams(version=version, rank=rank, **tier)
        )
