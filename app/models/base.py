"""What every table shares: naming of constraints, and the two kinds of column used everywhere."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, MetaData, text
from sqlmodel import Field, SQLModel

metadata: MetaData = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Timestamp: Any = DateTime(timezone=True)


def id_field() -> Any:
    """A UUIDv7 primary key, made by PostgreSQL unless the caller brings its own."""
    return Field(
        default=None, primary_key=True, sa_column_kwargs={"server_default": text("uuidv7()")}
    )


def created_at_field() -> Any:
    """When the row was written, by the database's clock."""
    return Field(
        default=None, sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")}
    )


def one_of(column: str, values: type) -> str:
    """SQL of a CHECK that a text column holds a member of the enum."""
    members = ", ".join(f"'{member}'" for member in values)  # type: ignore[attr-defined]
    return f"{column} IN ({members})"


class Record(SQLModel):
    """What every record of an organisation has: an id, whose it is, by whom, since when."""

    id: UUID = id_field()
    org_id: UUID = Field(foreign_key="orgs.id")
    created_by: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()


__all__ = [
    "UUID",
    "Record",
    "Timestamp",
    "created_at_field",
    "datetime",
    "id_field",
    "metadata",
    "one_of",
]
