"""Cases: requests for a decision of an organisation, and the entries of their steps."""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, created_at_field, one_of


class CaseKind(StrEnum):
    appeal = "appeal"  # against a deduction
    objection = "objection"  # against an award in public notice
    dispute = "dispute"  # of a charge


class CaseState(StrEnum):
    """``returned``: the opener must add something. ``withdrawn``: ended without a decision."""

    received = "received"
    returned = "returned"
    accepted = "accepted"
    answered = "answered"
    refused = "refused"
    closed = "closed"
    withdrawn = "withdrawn"


class CaseOutcome(StrEnum):
    adopted = "adopted"
    dismissed = "dismissed"


class Satisfaction(StrEnum):
    satisfied = "satisfied"
    fairly = "fairly"
    unsatisfied = "unsatisfied"


class CaseStep(StrEnum):
    """The step that an entry records.

    ``lapsed``: the subject of the case has ended, or the account of its opener was closed.
    """

    opened = "opened"
    accepted = "accepted"
    returned = "returned"
    refused = "refused"
    completed = "completed"
    assigned = "assigned"
    answered = "answered"
    rated = "rated"
    withdrawn = "withdrawn"
    lapsed = "lapsed"


OPEN = (CaseState.received, CaseState.returned, CaseState.accepted, CaseState.answered)
# By step: the states before, and the states that may follow each.
MOVES: Mapping[CaseStep, Mapping[str, Collection[str]]] = {
    CaseStep.accepted: {CaseState.received: {CaseState.accepted}},
    CaseStep.returned: {CaseState.received: {CaseState.returned}},
    CaseStep.refused: {CaseState.received: {CaseState.refused}},
    CaseStep.completed: {CaseState.returned: {CaseState.received}},
    CaseStep.assigned: {CaseState.accepted: {CaseState.accepted}},
    CaseStep.answered: {CaseState.accepted: {CaseState.answered, CaseState.closed}},
    CaseStep.rated: {CaseState.answered: {CaseState.accepted, CaseState.closed}},
    CaseStep.withdrawn: dict.fromkeys(OPEN, (CaseState.withdrawn,)),
    CaseStep.lapsed: dict.fromkeys(OPEN, (CaseState.withdrawn,)),
}
# Days for the step that follows a state. Only late steps of the opener are refused.
DAYS: Mapping[CaseState, int] = {
    CaseState.received: 3,
    CaseState.returned: 14,
    CaseState.accepted: 7,
    CaseState.answered: 14,
}
# Kinds whose answer is carried out at once and closes the case: no rating, no reopening.
FINAL = (CaseKind.appeal, CaseKind.objection, CaseKind.dispute)


class Case(Record, table=True):
    """``org_id`` handles the case, ``created_by`` opened it for ``reason``, which never changes.

    ``due_at`` is the deadline of the next step. ``last_number`` is the number of the newest entry:
    a trigger requires, at the commit, an entry for every change. ``round`` is 1 after an answer
    that was rated unsatisfactory, which reopens a case once.
    """

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint(one_of("kind", CaseKind), name="kind"),
        CheckConstraint(one_of("state", CaseState), name="state"),
        CheckConstraint(one_of("outcome", CaseOutcome), name="outcome"),
        CheckConstraint(one_of("satisfaction", Satisfaction), name="satisfaction"),
        CheckConstraint("handler_id <> created_by", name="handler_id"),
        CheckConstraint("num_nonnulls(outcome, answer, answered_at) IN (0, 3)", name="answer"),
        CheckConstraint(
            "state NOT IN ('answered', 'closed') OR num_nonnulls(handler_id, answered_at) = 2",
            name="answered_at",
        ),
        CheckConstraint("round IN (0, 1)", name="round"),
        UniqueConstraint("kind", "subject_id", "created_by"),
        Index("ix_cases_open", "created_by", "kind", postgresql_where=text(one_of("state", OPEN))),
    )

    kind: str = Field(max_length=20)
    subject_type: str = Field(max_length=40)
    subject_id: UUID
    reason: str = Field(max_length=5_000)
    state: str = Field(max_length=20)
    handler_id: UUID | None = Field(default=None, foreign_key="people.id")
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    round: int = 0
    outcome: str | None = Field(default=None, max_length=20)
    answer: str | None = Field(default=None, max_length=5_000)
    answered_at: datetime | None = Field(default=None, sa_type=Timestamp)
    satisfaction: str | None = Field(default=None, max_length=20)
    last_number: int = 1


class CaseEntry(SQLModel, table=True):
    """A step of a case, numbered without a gap. Append-only.

    ``handler_id`` is the handler of the case from this step on. ``author_id`` is null for entries
    that a migration or the closure of an account wrote.
    """

    __tablename__ = "case_entries"
    __table_args__ = (
        CheckConstraint(one_of("step", CaseStep), name="step"),
        CheckConstraint("number >= 1", name="number"),
    )

    case_id: UUID = Field(primary_key=True, foreign_key="cases.id")
    number: int = Field(primary_key=True)
    step: str = Field(max_length=20)
    from_state: str | None = Field(default=None, max_length=20)
    to_state: str = Field(max_length=20)
    author_id: UUID | None = Field(default=None, foreign_key="people.id")
    handler_id: UUID | None = Field(default=None, foreign_key="people.id")
    text: str | None = Field(default=None, max_length=5_000)
    created_at: datetime = created_at_field()

    @classmethod
    def of(
        cls, case: Case, step: CaseStep, author: UUID | None, before: str | None, text: str | None
    ) -> "CaseEntry":
        """Return the entry of the step that has brought a case to its present state."""
        return cls(
            case_id=case.id,
            number=case.last_number,
            step=step,
            from_state=before,
            to_state=case.state,
            author_id=author,
            handler_id=case.handler_id,
            text=text,
        )
