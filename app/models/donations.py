"""Donations of points to the 公益银行: whether the honour mark is shown to others."""

from uuid import UUID

from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, datetime


class HiddenHonour(SQLModel, table=True):
    """A person whose honour mark (爱心标识) no public list shows. Without a row it is shown."""

    __tablename__ = "hidden_honours"

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    hidden_at: datetime = Field(sa_type=Timestamp)
