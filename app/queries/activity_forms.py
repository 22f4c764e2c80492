"""SQL of the forms of activities, and of the answers to them with their people."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.activity_forms import ActivityForm
from app.models.answers import AnswerSubject, FormAnswer
from app.models.cards import Card
from app.models.forms import FormVersion
from app.models.people import Person
from app.models.signups import Signup
from app.queries.attendance import CANCELLED

# Answers with name and serial of the card, state of the sign-up that stands, number of the version.
Answered = tuple[FormAnswer, str, int, str | None, FormVersion]


async def add(session: Session, made: ActivityForm) -> bool:
    """Give an activity a form; False if it has one."""
    query = (
        insert(ActivityForm)
        .values(**made.model_dump(exclude={"created_at"}))
        .on_conflict_do_nothing(index_elements=["activity_id"])
        .returning(col(ActivityForm.activity_id))
    )
    return (await session.execute(query)).first() is not None


async def lock(session: Session, activity_id: UUID) -> ActivityForm | None:
    query = select(ActivityForm).where(ActivityForm.activity_id == activity_id)
    return (await session.exec(query.with_for_update())).first()


async def save(session: Session, changed: ActivityForm) -> None:
    session.add(changed)
    await session.flush()


async def delete(session: Session, activity_form: ActivityForm) -> None:
    await session.delete(activity_form)
    await session.flush()


async def version(
    session: Session, activity_id: UUID, *, share: bool = False
) -> FormVersion | None:
    """Read the version of the form that an activity has.

    ``share``: it keeps that version until the commit; others may answer meanwhile.
    """
    query = (
        select(FormVersion)
        .join(ActivityForm, col(ActivityForm.form_version_id) == col(FormVersion.id))
        .where(ActivityForm.activity_id == activity_id)
    )
    if share:
        query = query.with_for_update(read=True, of=ActivityForm)
    return (await session.exec(query)).first()


async def versions(session: Session, activity_id: UUID) -> Sequence[FormVersion]:
    """Read the version that an activity has and older ones that were answered, newest first."""
    answered = select(FormAnswer.form_version_id).where(
        FormAnswer.subject_type == AnswerSubject.activity, FormAnswer.subject_id == activity_id
    )
    current = select(ActivityForm.form_version_id).where(ActivityForm.activity_id == activity_id)
    query = (
        select(FormVersion)
        .where(or_(col(FormVersion.id).in_(answered), col(FormVersion.id).in_(current)))
        .order_by(col(FormVersion.id).desc())
    )
    return (await session.exec(query)).all()


async def answered(
    session: Session, activity_id: UUID, after: UUID | None, limit: int
) -> Sequence[Answered]:
    """Read the answers to the form of an activity, in the order in which they were given first."""
    # More columns than SQLModel's select has types for.
    query: Any = (
        select(FormAnswer, Person.display_name, Card.serial, col(Signup.status), FormVersion)  # type: ignore[call-overload]
        .join(Person, col(Person.id) == col(FormAnswer.person_id))
        .join(Card, col(Card.person_id) == col(FormAnswer.person_id))
        .join(FormVersion, col(FormVersion.id) == col(FormAnswer.form_version_id))
        .outerjoin(
            Signup,
            (col(Signup.activity_id) == activity_id)
            & (col(Signup.person_id) == col(FormAnswer.person_id))
            & (col(Signup.status) != CANCELLED),
        )
        .where(
            FormAnswer.subject_type == AnswerSubject.activity, FormAnswer.subject_id == activity_id
        )
        .order_by(col(FormAnswer.id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(FormAnswer.id) > after)
    found: Sequence[Answered] = (await session.exec(query)).all()
    return found
