"""Linked places of merchants, and check-ins there.

Revision ID: 20261130_linked_places
Revises: 20261130_webhooks
"""

from typing import Any

import sqlalchemy as sa

from alembic import op

revision = "20261130_linked_places"
down_revision = "20261130_webhooks"
branch_labels = None
depends_on = None


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False)


def _refers(table: str, column: str, other: str, **options: Any) -> sa.Constraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, **options)


def upgrade() -> None:
    op.create_table(
        "linked_places",
        _id(),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("rule_key", sa.String(length=40), nullable=False),
        sa.Column("radius_m", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("issue", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.CheckConstraint("state IN ('linked', 'ended')", name=op.f("ck_linked_places_state")),
        sa.CheckConstraint("radius_m > 0", name=op.f("ck_linked_places_radius")),
        sa.CheckConstraint("issue BETWEEN 1 AND 65535", name=op.f("ck_linked_places_issue")),
        _refers("linked_places", "created_by", "people"),
        _refers("linked_places", "merchant_id", "merchants"),
        _refers("linked_places", "org_id", "orgs"),
        _refers("linked_places", "shop_id", "shops"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_linked_places")),
        sa.UniqueConstraint("serial", name=op.f("uq_linked_places_serial")),
    )
    op.create_index(
        "uq_linked_places_shop",
        "linked_places",
        ["shop_id", "org_id"],
        unique=True,
        postgresql_where=sa.text("state = 'linked'"),
    )
    op.create_index("ix_linked_places_org", "linked_places", ["org_id", "id"])
    op.create_table(
        "linked_place_visits",
        _id(),
        sa.Column("linked_place_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.Column("visited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("distance_m", sa.Integer(), nullable=False),
        sa.Column("accuracy_m", sa.Integer(), nullable=False),
        sa.Column("doubted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("award_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "distance_m >= 0 AND accuracy_m BETWEEN 0 AND 100",
            name=op.f("ck_linked_place_visits_location"),
        ),
        _refers("linked_place_visits", "award_id", "awards", deferrable=True, initially="DEFERRED"),
        _refers("linked_place_visits", "linked_place_id", "linked_places"),
        _refers("linked_place_visits", "person_id", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_linked_place_visits")),
        sa.UniqueConstraint("award_id", name=op.f("uq_linked_place_visits_award_id")),
        sa.UniqueConstraint(
            "linked_place_id",
            "person_id",
            "visited_on",
            name=op.f("uq_linked_place_visits_linked_place_id_person_id_visited_on"),
        ),
    )
    op.create_index("ix_linked_place_visits_person", "linked_place_visits", ["person_id", "id"])
    op.execute("GRANT SELECT, INSERT, UPDATE (issue, state) ON linked_places TO qx_app")
    op.execute("GRANT SELECT, INSERT ON linked_place_visits TO qx_app")


def downgrade() -> None:
    op.drop_table("linked_place_visits")
    op.drop_table("linked_places")
