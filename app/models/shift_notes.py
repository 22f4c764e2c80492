"""Hand-over notes of shifts: what the next shift of a post should know."""

from uuid import UUID

from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, datetime


class ShiftNote(SQLModel, table=True):
    """The note of a shift, at most one; who writes it again replaces it."""

    __tablename__ = "shift_notes"

    shift_id: UUID = Field(primary_key=True, foreign_key="activity_sessions.id", ondelete="CASCADE")
    text: str = Field(max_length=1000)
    written_by: UUID = Field(foreign_key="people.id", index=True)
    written_at: datetime = Field(sa_type=Timestamp)
