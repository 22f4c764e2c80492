"""When each job of the worker last ran."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from app.models.base import Timestamp


class JobRun(SQLModel, table=True):
    """``last_run_at``: when a run last completed, by the database's clock; None if none has.

    ``begun_at``: when a run last began; ``held_since``: since when the job does not run because
    the clock has jumped. Both by the worker's clock.
    """

    __tablename__ = "job_runs"

    name: str = Field(primary_key=True, max_length=60)
    last_run_at: datetime | None = Field(default=None, sa_type=Timestamp)
    begun_at: datetime | None = Field(default=None, sa_type=Timestamp)
    held_since: datetime | None = Field(default=None, sa_type=Timestamp)
