"""People and what they may do."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, id_field, one_of


class Role(StrEnum):
    """Rights beyond a resident's. The first three hold at an organisation and its subtree."""

    organizer = "organizer"
    auditor = "auditor"
    administrator = "administrator"
    merchant_staff = "merchant_staff"


class Person(SQLModel, table=True):
    """A resident. The openid is encrypted and found by a blind index; no phone is needed."""

    __tablename__ = "people"

    id: UUID = id_field()
    openid_index: bytes = Field(unique=True)
    openid_sealed: bytes
    display_name: str = Field(max_length=40)
    # Known only if the person tells it; under 14 never appears on a leaderboard.
    birth_date: date | None = None
    # Leaderboards show a masked name unless the person opts in.
    shows_name: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = created_at_field()


class RoleGrant(SQLModel, table=True):
    """A role at an organisation (its subtree included) or at a merchant."""

    __tablename__ = "role_grants"
    __table_args__ = (
        CheckConstraint(one_of("role", Role), name="role"),
        CheckConstraint(
            "CASE role WHEN 'merchant_staff' THEN merchant_id IS NOT NULL AND org_id IS NULL"
            " ELSE org_id IS NOT NULL AND merchant_id IS NULL END",
            name="place",
        ),
        Index(
            "uq_role_grants_place",
            "person_id",
            "role",
            "org_id",
            "merchant_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: UUID = id_field()
    person_id: UUID = Field(foreign_key="people.id")
    role: str = Field(max_length=20)
    org_id: UUID | None = Field(default=None, foreign_key="orgs.id")
    merchant_id: UUID | None = Field(default=None, foreign_key="merchants.id")
    created_at: datetime = created_at_field()
