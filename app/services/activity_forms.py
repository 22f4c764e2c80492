"""Forms of activities: set by organizers, answered by residents, read by organizers.

An activity keeps the version of its form that it was given (decision 0040).
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.core.validation_messages import invalid
from app.models.activities import Activity, ActivityStatus
from app.models.activity_forms import ActivityForm
from app.models.answers import AnswerSubject
from app.models.cards import masked_number
from app.models.forms import FormVersion
from app.models.signups import SignupStatus
from app.queries import activities as activity_queries
from app.queries import activity_forms as queries
from app.queries import answers as answer_queries
from app.queries import co_organizers as co_organizer_queries
from app.queries.activity_forms import Answered
from app.schemas.activity_forms import ActivityFormIn, ActivityFormOut, ParticipantAnswersOut
from app.schemas.answers import AnswersIn, OwnAnswersOut
from app.schemas.exports import Column
from app.schemas.forms import MAX_PICTURES, Question, questions_of
from app.services import activities, answers, attendance, audit, eligibility, forms, people
from app.services.activities import ActivityNotFound, ActivityNotOpen, ActivityWrongState
from app.services.attachments.subjects import Access
from app.services.attachments.subjects import Subject as Attachable

OPEN = (ActivityStatus.draft, ActivityStatus.published)
# Kinds whose answers may tell who somebody is: auditors see that there is one.
PERSONAL = {"text", "phone", "date", "picture"}
HIDDEN = "*"


class ActivityFormNotFound(Refusal):
    code, status, title = "activity_forms.not_found", 404, "No form"
    zh, en = "该活动没有报名表单", "The activity has no form."


class ActivityFormAnswered(Refusal):
    code, status, title = "activity_forms.answered", 409, "Answered already"
    zh = "已有人填写，不能撤下或换成其他表单"
    en = "Somebody has answered, so the activity keeps its form."


class AnswersClosed(Refusal):
    code, status, title = "activity_forms.closed", 409, "Closed to answers"
    zh, en = "活动已开始，不能再填写", "The activity has begun; answers stay as they are."
    fact_names = ("closes_at",)


class VersionReplaced(Refusal):
    code, status, title = "activity_forms.version_replaced", 409, "Another version"
    zh, en = "表单已更新，请刷新后重新填写", "The form has changed; read it again and answer that."


async def put(
    tx: Session, caller: UUID, activity_id: UUID, body: ActivityFormIn
) -> ActivityFormOut:
    """Give an activity the newest version of a form. Idempotent.

    Raises ActivityNotFound, ActivityWrongState, Invalid (form), ActivityFormAnswered.
    """
    activity = await _editable(tx, caller, activity_id)
    version = await forms.usable(tx, body.form_id, activity.org_path)
    if version is None:
        raise invalid(
            "body.form_id",
            "没有这个已发布的表单，或不适用于该活动的组织",
            "no such published form of the activity's organisation or above it",
        )
    made = ActivityForm(
        activity_id=activity_id,
        form_id=version.form_id,
        form_version_id=version.id,
        created_by=caller,
    )
    if not await queries.add(tx, made) and not await _replace(tx, made):
        return _shown(activity, version, None)
    facts = audit.about("form", version.form_id) | {"version": version.number}
    await audit.write(tx, caller, "changed", activity, fields=["form"], facts=facts)
    return _shown(activity, version, None)


async def _replace(tx: Session, made: ActivityForm) -> bool:
    """Replace the form of an activity; False if it has this version. Raises ActivityFormAnswered.

    Answers to an older version of the same form stay valid.
    """
    found = await queries.lock(tx, made.activity_id)
    if found is None:  # deleted meanwhile
        return await queries.add(tx, made)
    if found.form_version_id == made.form_version_id:
        return False
    if found.form_id != made.form_id:
        await _require_unanswered(tx, made.activity_id)
    for name in ("form_id", "form_version_id", "created_by"):
        setattr(found, name, getattr(made, name))
    await queries.save(tx, found)
    return True


async def remove(tx: Session, caller: UUID, activity_id: UUID) -> None:
    """Take the form from an activity.

    Raises ActivityNotFound, ActivityWrongState, ActivityFormNotFound, ActivityFormAnswered.
    """
    activity = await _editable(tx, caller, activity_id)
    found = await queries.lock(tx, activity_id)
    if found is None:
        raise ActivityFormNotFound
    await _require_unanswered(tx, activity_id)
    await queries.delete(tx, found)
    facts = audit.about("form", found.form_id)
    await audit.write(tx, caller, "changed", activity, fields=["form"], facts=facts)


async def get(tx: Session, caller: UUID | None, activity_id: UUID) -> ActivityFormOut:
    """Return the questions of an activity, and what the caller answered.

    Raises ActivityNotFound, ActivityFormNotFound.
    """
    activity = await _visible(tx, caller, activity_id)
    version = await _version(tx, activity_id)
    mine = None
    if caller is not None:
        found = await answers.of_person(tx, version, _subject(activity), caller)
        mine = OwnAnswersOut.model_validate(found) if found else None
    return _shown(activity, version, mine)


async def answer(tx: Session, caller: UUID, activity_id: UUID, body: AnswersIn) -> OwnAnswersOut:
    """Save the caller's answers in place of earlier ones, until the activity begins.

    Raises ActivityNotFound, ActivityNotOpen, ActivityFormNotFound, AnswersClosed, VersionReplaced,
    NotEligible (under 14, without a guardian's consent), Invalid (answers).
    """
    activity = await _visible(tx, caller, activity_id)
    if activity.status != ActivityStatus.published:
        raise ActivityNotOpen(
            status=activity.status, starts_at=activity.starts_at, ends_at=activity.ends_at
        )
    version = await _version(tx, activity_id, share=True)
    if now() >= activity.starts_at:
        raise AnswersClosed(closes_at=activity.starts_at)
    if body.form_version_id != version.id:
        raise VersionReplaced
    await eligibility.require_consent(tx, caller)
    saved = await answers.save(tx, version, _subject(activity), caller, body.answers)
    return OwnAnswersOut.model_validate(saved)


async def browse(
    tx: Session, caller: UUID, activity_id: UUID, asked: PageParams
) -> Page[ParticipantAnswersOut]:
    """Return who answered what, in the order of the first answers.

    For auditors names are masked, and so are answers that may tell who somebody is. Raises
    ActivityNotFound, Forbidden.
    """
    activity, masks = await attendance.readable(tx, caller, activity_id)

    async def read(after: UUID | None, limit: int) -> list[ParticipantAnswersOut]:
        rows = await queries.answered(tx, activity.id, after, limit)
        return [_participant(row, masks=masks) for row in rows]

    return await by_id(asked, read, lambda out: out)


async def columns(tx: Session, activity_id: UUID) -> list[Column]:
    """Return a column of exports for each question that an activity asks or asked.

    Of a key that several versions have, the newest names the column.
    """
    found: dict[str, Column] = {}
    for version in await queries.versions(tx, activity_id):
        for question in questions_of(version):
            column = found.get(question.key)
            heading = column.heading if column else question.words
            words = _words(question) | dict(column.words if column else {})
            found[question.key] = Column(("answers", question.key), heading, words)
    return list(found.values())


def _words(question: Question) -> dict[str, Any]:
    choices: Iterable[Any] = getattr(question, "choices", ())
    return {one.key: one.words for one in choices}


async def _editable(tx: Session, caller: UUID, activity_id: UUID) -> Activity:
    """Return a draft or a published activity. Raises ActivityNotFound, ActivityWrongState."""
    activity = await activities.organized(tx, caller, activity_id)
    if activity.status not in OPEN:
        raise ActivityWrongState(status=activity.status)
    return activity


async def _visible(tx: Session, caller: UUID | None, activity_id: UUID) -> Activity:
    activity = await activity_queries.find(tx, activity_id)
    if activity is None or not await activities.may_see(tx, caller, activity):
        raise ActivityNotFound
    return activity


async def _version(tx: Session, activity_id: UUID, *, share: bool = False) -> FormVersion:
    found = await queries.version(tx, activity_id, share=share)
    if found is None:
        raise ActivityFormNotFound
    return found


async def _require_unanswered(tx: Session, activity_id: UUID) -> None:
    if await answer_queries.exist(tx, AnswerSubject.activity, activity_id):
        raise ActivityFormAnswered


def _subject(activity: Activity) -> answers.Subject:
    return answers.Subject(AnswerSubject.activity, activity.id, activity.org_id)


def _shown(activity: Activity, version: FormVersion, mine: OwnAnswersOut | None) -> ActivityFormOut:
    return ActivityFormOut(
        activity_id=activity.id,
        form_id=version.form_id,
        form_version_id=version.id,
        number=version.number,
        title=version.title,
        questions=questions_of(version),
        closes_at=activity.starts_at,
        mine=mine,
    )


def _participant(row: Answered, *, masks: bool) -> ParticipantAnswersOut:
    answer, name, serial, status, version = row
    given = answer.answers
    if masks:
        personal = {one.key for one in questions_of(version) if one.kind in PERSONAL}
        given = {key: HIDDEN if key in personal else value for key, value in given.items()}
    return ParticipantAnswersOut(
        id=answer.id,
        person_id=answer.person_id,
        display_name=people.masked(name) if masks else name,
        card_no=masked_number(serial),
        status=SignupStatus(status) if status else None,
        number=version.number,
        updated_at=answer.updated_at,
        answers=given,
    )


async def _access(tx: Session, caller: UUID | None, answer_id: UUID) -> Access | None:
    """Pictures are read by who answered with them, and by who organizes the activity."""
    found = await answer_queries.find(tx, answer_id)
    if caller is None or found is None or found.subject_type != AnswerSubject.activity:
        return None
    activity = await activity_queries.find(tx, found.subject_id)
    if activity is None:
        return None
    reads = (
        caller == found.person_id
        or await people.holds(tx, caller, people.ORGANIZERS, activity.org_path)
        or await co_organizer_queries.is_one(tx, activity.id, caller)
    )
    return Access(activity.org_id, reads=reads, attaches=False, manages=False)


ATTACHABLE = Attachable("activity_answer", _access, most=MAX_PICTURES)
