"""SQL of answers to forms."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.answers import AnswerSubject, FormAnswer

_KEY = ["subject_type", "subject_id", "person_id", "form_id"]
# Reads nothing but the primary key of ``activity_forms`` where no activity has a form. Answers to
# an older version of the form are answers to the form.
_MISSING = f"""
SELECT p.activity_id, p.person_id
FROM unnest(CAST(:activities AS uuid[]), CAST(:people AS uuid[])) AS p(activity_id, person_id)
JOIN activity_forms f ON f.activity_id = p.activity_id
JOIN form_versions v ON v.id = f.form_version_id AND v.has_required
LEFT JOIN form_answers a ON a.subject_type = '{AnswerSubject.activity}'
  AND a.subject_id = p.activity_id AND a.person_id = p.person_id AND a.form_id = f.form_id
WHERE a.id IS NULL
"""  # noqa: S608 - a constant


async def claim(session: Session, answer: FormAnswer) -> tuple[FormAnswer, bool]:
    """Insert a person's answers, or lock those that are there; tell whether they are new.

    A concurrent insert of the same person waits for the first, and then finds its row.
    """
    values = answer.model_dump(exclude={"created_at"})
    made = insert(FormAnswer).values(**values).on_conflict_do_nothing(index_elements=_KEY)
    is_new = (await session.execute(made.returning(col(FormAnswer.id)))).first() is not None
    query: Any = select(FormAnswer).filter_by(**{name: values[name] for name in _KEY})
    return (await session.exec(query.with_for_update())).one(), is_new


async def save(session: Session, answer: FormAnswer) -> None:
    session.add(answer)
    await session.flush()


async def find(session: Session, answer_id: UUID) -> FormAnswer | None:
    return await session.get(FormAnswer, answer_id)


async def of_person(
    session: Session, subject_type: str, subject_id: UUID, form_id: UUID, person_id: UUID
) -> FormAnswer | None:
    """Read a person's answers to a form for a subject."""
    values = (subject_type, subject_id, person_id, form_id)
    query = select(FormAnswer).filter_by(**dict(zip(_KEY, values, strict=True)))
    return (await session.exec(query)).first()


async def exist(session: Session, subject_type: str, subject_id: UUID) -> bool:
    """Whether anybody has answered for a subject."""
    query = (
        select(FormAnswer.id)
        .where(FormAnswer.subject_type == subject_type, FormAnswer.subject_id == subject_id)
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


async def missing(session: Session, pairs: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Read which activities and people lack answers to the activity's form, if it requires any."""
    asked = sorted(pairs)
    wanted = {"activities": [one for one, _ in asked], "people": [one for _, one in asked]}
    rows = await session.fetch(_MISSING, wanted)
    return {(row.activity_id, row.person_id) for row in rows}


async def remove_of(session: Session, people: Sequence[UUID]) -> None:
    """Delete all answers of people."""
    await session.execute(delete(FormAnswer).where(col(FormAnswer.person_id).in_(people)))
