"""Children (孩子): whom a guardian signs up, and who else may fetch them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, id_field

MOST = 6  # children of one guardian
MOST_PICKUPS = 4  # people who may fetch a child, beside the guardian


class Child(SQLModel, table=True):
    """A person without a login, under the care of the guardian who entered it (decision 0047).

    ``person_id``: the child's row in ``people``, whose ``display_name`` is the masked name; the
    name itself is encrypted here. The row is deleted when the guardian removes the child.
    """

    __tablename__ = "children"
    __table_args__ = (CheckConstraint("guardian_id <> person_id", name="guardian"),)

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    guardian_id: UUID = Field(foreign_key="people.id", index=True)
    name_sealed: bytes
    may_leave_alone: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = created_at_field()


class Pickup(SQLModel, table=True):
    """Somebody whom the guardian lets fetch a child.

    ``named_sealed``: name and relation as the guardian wrote them, JSON, encrypted. ``person_id``:
    the account, if the guardian named a card; who has none is let in by a hand-over code.
    """

    __tablename__ = "pickups"
    __table_args__ = (
        Index("ix_pickups_child", "child_id"),
        Index("ix_pickups_person", "person_id", postgresql_where=text("person_id IS NOT NULL")),
    )

    id: UUID = id_field()
    child_id: UUID = Field(foreign_key="children.person_id", ondelete="CASCADE")
    person_id: UUID | None = Field(default=None, foreign_key="people.id")
    named_sealed: bytes
    created_at: datetime = created_at_field()
