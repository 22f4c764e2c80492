"""Answers to forms: validated against the version that they are given to, saved, missing.

For whatever asks people by a form: activities now, later visits, checks and surveys. The noun that
asks decides who may answer, until when, and who reads it.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.core import phones
from app.core.clock import now
from app.core.db import Session
from app.core.errors import Invalid
from app.core.ids import new_id
from app.core.language import Bilingual
from app.core.normalize import is_visible
from app.models.answers import AnswerSubject, FormAnswer
from app.models.forms import FormVersion
from app.queries import answers as queries
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.schemas import forms
from app.schemas.answers import Answer
from app.schemas.forms import MAX_PICTURES, PictureQuestion, Question
from app.services import audit
from app.services.attachments import moving
from app.services.attachments.subjects import Access, SubjectRef
from app.services.attachments.subjects import Subject as Attachable

DRAFT = "answer_draft"  # noun of pictures that a person uploaded and has not answered with yet
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1900, 2100)
_REQUIRED = Bilingual("必填", "must be answered")
_UNKNOWN = Bilingual("没有这道题目", "there is no such question")
_NO_CHOICE = Bilingual("没有这个选项", "not one of the choices")
_NO_DAY = Bilingual("应为日期，如 2028-05-04", "expected a day, such as 2028-05-04")
_NO_PICTURE = Bilingual("没有这张图片", "there is no such picture of yours")
_NO_PHONE = Bilingual(
    "应为手机号码，或带区号的固定电话",
    "expected a mobile number, or a landline number with its area code",
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a person answers a form for. ``org_id``: its organisation."""

    type: AnswerSubject
    id: UUID
    org_id: UUID

    @property
    def picture_noun(self) -> str:
        """The noun of the answers, as the subject of their pictures and audit entries."""
        return f"{self.type}_answer"


def validate(version: FormVersion, answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Return the answers to a version, normalized, without questions that are not answered.

    Raises Invalid, with a message for each question that is answered wrongly.
    """
    kept: dict[str, Any] = {}
    questions = {one.key: one for one in forms.questions_of(version)}
    wrong = dict.fromkeys(answers.keys() - questions.keys(), _UNKNOWN)
    for key, question in questions.items():
        given = answers.get(key)
        if _is_empty(given):
            if question.required:
                wrong[key] = _REQUIRED
            continue
        # A Bilingual tells what is wrong.
        checked = _CHECKS[question.kind](question, given)
        if isinstance(checked, Bilingual):
            wrong[key] = checked
        else:
            kept[key] = checked
    _require_none(wrong)
    return kept


async def save(
    tx: Session,
    version: FormVersion,
    subject: Subject,
    person_id: UUID,
    answers: Mapping[str, Answer],
) -> FormAnswer:
    """Save a person's answers in place of earlier ones to the same form.

    Pictures are moved from the person's drafts to the answers; those that are not named any more
    are deleted. Raises Invalid.
    """
    checked, at = validate(version, answers), now()
    draft = FormAnswer(
        id=new_id(),
        form_id=version.form_id,
        form_version_id=version.id,
        subject_type=subject.type,
        subject_id=subject.id,
        person_id=person_id,
        answers=checked,
        updated_at=at,
    )
    saved, is_new = await queries.claim(tx, draft)
    if not is_new and (saved.answers, saved.form_version_id) == (checked, version.id):
        return saved
    await _keep_pictures(tx, version, subject, saved, checked)
    saved.answers, saved.form_version_id, saved.updated_at = checked, version.id, at
    await queries.save(tx, saved)
    about = audit.about(subject.type, subject.id) | {"version": version.number}
    named = (subject.picture_noun, saved.id)
    verb = "created" if is_new else "changed"
    await audit.write_about(tx, person_id, verb, named, subject.org_id, facts=about)
    return saved


async def missing(tx: Session, pairs: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Return which of the pairs (activity, person) lack required answers, in one statement.

    Answers to an older version of the activity's form are enough.
    """
    return await queries.missing(tx, pairs)


async def of_person(
    tx: Session, version: FormVersion, subject: Subject, person_id: UUID
) -> FormAnswer | None:
    """Return a person's answers to the form of a version, to whichever version they are."""
    return await queries.of_person(tx, subject.type, subject.id, version.form_id, person_id)


async def erase(tx: Session, people: Sequence[UUID]) -> None:
    """Erase what people answered; their pictures are erased with all of their attachments."""
    await queries.remove_of(tx, people)


ERASES = erase


async def _draft_access(tx: Session, caller: UUID | None, person_id: UUID) -> Access | None:
    """Pictures that are in no answer yet are their uploader's alone."""
    person = await people_queries.find(tx, person_id) if caller == person_id else None
    if person is None or person.erased_at is not None:
        return None
    home = person.community_id
    org = await (org_queries.find(tx, home) if home else org_queries.first_root(tx))
    return Access(org.id, reads=True, attaches=True, manages=True) if org else None


ATTACHABLE = Attachable(DRAFT, _draft_access, most=MAX_PICTURES)


async def _keep_pictures(
    tx: Session, version: FormVersion, subject: Subject, saved: FormAnswer, checked: dict[str, Any]
) -> None:
    """Let the answers have the pictures that they name, and no others. Raises Invalid."""
    named = {
        one.key: [UUID(picture) for picture in checked.get(one.key, ())]
        for one in forms.questions_of(version)
        if isinstance(one, PictureQuestion)
    }
    unusable = await moving.move(
        tx,
        saved.person_id,
        {picture for pictures in named.values() for picture in pictures},
        SubjectRef(DRAFT, saved.person_id),
        SubjectRef(subject.picture_noun, saved.id),
        subject.org_id,
    )
    keys = [key for key, pictures in named.items() if not unusable.isdisjoint(pictures)]
    _require_none(dict.fromkeys(keys, _NO_PICTURE))


def _require_none(wrong: Mapping[str, Bilingual]) -> None:
    """Raise Invalid if an answer is wrong."""
    if wrong:
        fields = [{"field": f"body.answers.{key}", "msg": msg} for key, msg in wrong.items()]
        raise Invalid(fields=fields)


def _is_empty(given: Answer) -> bool:
    return given is None or given == [] or (isinstance(given, str) and not is_visible(given))


def _text(question: forms.TextQuestion, given: Answer) -> str | Bilingual:
    if not isinstance(given, str):
        return Bilingual("应为文字", "expected a text")
    text, most = given.strip(), question.max_length
    return (
        text
        if len(text) <= most
        else Bilingual(f"最多 {most} 个字符", f"at most {most} characters")
    )


def _number(question: forms.NumberQuestion, given: Answer) -> float | Bilingual:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return Bilingual("应为数字", "expected a number")
    if not question.min <= given <= question.max:
        low, high = f"{question.min:.12g}", f"{question.max:.12g}"
        return Bilingual(f"应在 {low} 与 {high} 之间", f"must lie between {low} and {high}")
    exponent = Decimal(str(given)).normalize().as_tuple().exponent
    places = question.decimals
    if not isinstance(exponent, int) or -exponent > places:
        if places == 0:
            return Bilingual("应为整数", "expected a whole number")
        return Bilingual(f"最多 {places} 位小数", f"at most {places} decimal places")
    return int(given) if given == int(given) else given


def _choices(question: forms.MultipleChoiceQuestion, given: Answer) -> list[str] | Bilingual:
    offered = [one.key for one in question.choices]
    if not isinstance(given, list) or not {*given} <= {*offered}:
        return _NO_CHOICE
    if len({*given}) < len(given):
        return Bilingual("选项重复", "a choice is there twice")
    most = question.most or len(offered)
    if len(given) > most:
        return Bilingual(f"最多选 {most} 项", f"at most {most} choices")
    return [key for key in offered if key in given]


def _day(_: Question, given: Answer) -> str | Bilingual:
    if not isinstance(given, str) or not _DAY.fullmatch(given):
        return _NO_DAY
    try:
        return given if date.fromisoformat(given).year in _YEARS else _NO_DAY
    except ValueError:
        return _NO_DAY


def _consent(question: forms.ConsentQuestion, given: Answer) -> bool | Bilingual:
    if not isinstance(given, bool):
        return Bilingual("应为 true 或 false", "expected true or false")
    if question.required and not given:
        return Bilingual("须同意", "must be agreed to")
    return given


def _pictures(question: PictureQuestion, given: Answer) -> list[str] | Bilingual:
    if not isinstance(given, list):
        return Bilingual("应为图片编号的列表", "expected a list of ids of pictures")
    try:
        found = [str(UUID(one)) for one in given]
    except ValueError:
        return _NO_PICTURE
    if len({*found}) < len(found):
        return Bilingual("图片重复", "a picture is there twice")
    most = question.most
    return (
        found
        if len(found) <= most
        else Bilingual(f"最多 {most} 张图片", f"at most {most} pictures")
    )


def _choice(question: forms.SingleChoiceQuestion, given: Answer) -> Answer | Bilingual:
    return given if given in [one.key for one in question.choices] else _NO_CHOICE


def _phone(_: Question, given: Answer) -> str | Bilingual:
    return (phones.normalized(given) if isinstance(given, str) else None) or _NO_PHONE


# By the kind of a question: what returns the normalized answer, or what is wrong with it.
_CHECKS: Mapping[str, Callable[[Any, Answer], Any]] = {
    "text": _text,
    "number": _number,
    "single_choice": _choice,
    "multiple_choice": _choices,
    "date": _day,
    "phone": _phone,
    "consent": _consent,
    "picture": _pictures,
}
