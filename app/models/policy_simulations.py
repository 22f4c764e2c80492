"""Simulations of drafts of points rules: run by a job, and forgotten after some days."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class PolicySimulationState(StrEnum):
    waiting = "waiting"
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"


UNDER_WAY = (PolicySimulationState.waiting, PolicySimulationState.running)
_UNDER_WAY = one_of("state", UNDER_WAY)


class PolicySimulation(SQLModel, table=True):
    """``org_id`` NULL: of a document for all organisations without a programme of their own.

    ``attempts``: how often a worker began; only the last one may write. ``heard_at``: when that
    one last did. ``people_done`` of ``people_total`` are replayed. ``failure``: the code of a
    refusal.
    """

    __tablename__ = "policy_simulations"
    __table_args__ = (
        CheckConstraint(one_of("state", PolicySimulationState), name="state"),
        CheckConstraint("(state = 'done') = (result IS NOT NULL)", name="result"),
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure"),
        CheckConstraint(f"({_UNDER_WAY}) = (ended_at IS NULL)", name="ended_at"),
        CheckConstraint("first_day <= last_day", name="days"),
        # One at a time: NULL, all organisations, counts as one.
        Index(
            "uq_policy_simulations_under_way",
            "org_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text(_UNDER_WAY),
        ),
        Index("ix_policy_simulations_org", "org_id", "id"),
    )

    id: UUID = id_field()
    org_id: UUID | None = Field(default=None, foreign_key="orgs.id")
    created_by: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()
    source: str = Field(sa_column=Column(Text, nullable=False))
    first_day: date
    last_day: date
    state: str = Field(default=PolicySimulationState.waiting, max_length=20)
    attempts: int = 0
    heard_at: datetime | None = Field(default=None, sa_type=Timestamp)
    people_total: int | None = None
    people_done: int = 0
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    failure: str | None = Field(default=None, max_length=60)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class SimulatedPerson(SQLModel, table=True):
    """What a person was given in the period, and would have been given."""

    __tablename__ = "simulated_people"
    __table_args__ = (Index("ix_simulated_people_person", "person_id"),)

    simulation_id: UUID = Field(
        sa_column=Column(ForeignKey("policy_simulations.id", ondelete="CASCADE"), primary_key=True)
    )
    person_id: UUID = Field(foreign_key="people.id", primary_key=True)
    awards: int
    points_now: int
    points_draft: int
    minutes: int
    cap_hits: int
