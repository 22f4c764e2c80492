"""Forms of activities: which version of which form those who sign up answer."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field


class ActivityForm(SQLModel, table=True):
    """The version is that which was the newest when the form was set: it does not follow edits."""

    __tablename__ = "activity_forms"
    __table_args__ = (
        ForeignKeyConstraint(
            ["form_id", "form_version_id"], ["form_versions.form_id", "form_versions.id"]
        ),
    )

    activity_id: UUID = Field(primary_key=True, foreign_key="activities.id", ondelete="CASCADE")
    form_id: UUID
    form_version_id: UUID
    created_by: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()
