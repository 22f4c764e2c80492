"""What people answered when WeChat asked whether a message may be sent (订阅消息)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, one_of


class SubscriptionAnswer(StrEnum):
    """What ``wx.requestSubscribeMessage`` tells of a template."""

    accept = "accept"
    reject = "reject"
    ban = "ban"
    filter = "filter"


class Subscription(SQLModel, table=True):
    """``credits``: messages of a template that WeChat will still deliver, one for each accept."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint(one_of("answer", SubscriptionAnswer), name="answer"),
        CheckConstraint("credits >= 0", name="credits"),
    )

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    template_id: str = Field(primary_key=True, max_length=64)
    credits: int
    answer: str = Field(max_length=10)
    answered_at: datetime = created_at_field()
