"""People and their roles."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class Role(StrEnum):
    """Rights beyond a resident's. The first three apply to an organisation and its subtree."""

    organizer = "organizer"
    auditor = "auditor"
    administrator = "administrator"
    merchant_staff = "merchant_staff"


class PersonLanguage(StrEnum):
    """In which language somebody wants to be written to."""

    zh = "zh-CN"
    en = "en"


class Person(SQLModel, table=True):
    """A resident, found by a blind index of the encrypted openid. No phone number is needed.

    ``erased_at``: the account was closed. The row stays as a pseudonym for the ledger, and its
    openid and all that it says of the person are gone (decision 0030). ``merged_into_id``: another
    account of the same person, which keeps what this one had (decision 0036); never one that was
    merged itself.
    """

    __tablename__ = "people"
    __table_args__ = (
        CheckConstraint("num_nonnulls(suspended_at, suspended_org_id) IN (0, 2)", name="suspended"),
        CheckConstraint("birth_date IS NULL OR birth_year IS NULL", name="birth"),
        CheckConstraint(one_of("language", PersonLanguage), name="language"),
        CheckConstraint("merged_into_id <> id", name="merged"),
        Index(
            "ix_people_merged",
            "merged_into_id",
            postgresql_where=text("merged_into_id IS NOT NULL"),
        ),
    )

    id: UUID = id_field()
    openid_index: bytes = Field(unique=True)
    openid_sealed: bytes
    display_name: str = Field(max_length=40)
    # Optional. People under 14 are never shown on a leaderboard. ``birth_year`` alone counts as
    # its last day.
    birth_date: date | None = None
    birth_year: int | None = None
    # Leaderboards show a masked name unless the person opts in.
    shows_name: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    # A suspended person cannot log in, and holds no role. The organisation is whose administrator
    # suspended the person: those of one below it cannot restore them.
    suspended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    suspended_org_id: UUID | None = Field(default=None, foreign_key="orgs.id")
    community_id: UUID | None = Field(default=None, foreign_key="orgs.id")
    interests: list[str] = Field(
        default_factory=list,
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")),
    )
    language: str | None = Field(default=None, max_length=10)
    erased_at: datetime | None = Field(default=None, sa_type=Timestamp)
    merged_into_id: UUID | None = Field(default=None, foreign_key="people.id")
    created_at: datetime = created_at_field()


class RoleGrant(SQLModel, table=True):
    """A role at an organisation (its subtree included) or at a merchant.

    It is in force from ``starts_at`` until ``ends_at``, by PostgreSQL's clock. A row whose end has
    passed grants nothing, and gives way to a new grant.
    """

    __tablename__ = "role_grants"
    __table_args__ = (
        CheckConstraint(one_of("role", Role), name="role"),
        CheckConstraint(
            "CASE role WHEN 'merchant_staff' THEN merchant_id IS NOT NULL AND org_id IS NULL"
            " ELSE org_id IS NOT NULL AND merchant_id IS NULL END",
            name="place",
        ),
        CheckConstraint("ends_at > starts_at", name="times"),
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
    starts_at: datetime = created_at_field()
    ends_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = created_at_field()
