"""Proxies (代领): somebody else collects a reservation, once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field


class CollectionProxy(SQLModel, table=True):
    """A code with which somebody else may collect a reservation of ``person_id``.

    ``name``: who, as the counter reads it; NULL: whoever has the code. It ends with the
    reservation, or when its owner revokes it or makes another one.
    """

    __tablename__ = "collection_proxies"
    __table_args__ = (
        CheckConstraint("num_nonnulls(used_at, used_by) IN (0, 2)", name="used"),
        CheckConstraint("used_at IS NULL OR revoked_at IS NULL", name="revoked"),
        Index(
            "uq_collection_proxies_redemption",
            "redemption_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("ix_collection_proxies_person", "person_id", "id"),
    )

    id: UUID = id_field()
    redemption_id: UUID = Field(foreign_key="redemptions.id")
    person_id: UUID = Field(foreign_key="people.id")
    code: str = Field(max_length=12, unique=True)
    name: str | None = Field(default=None, max_length=20)
    created_at: datetime = created_at_field()
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    used_by: UUID | None = Field(default=None, foreign_key="people.id")
