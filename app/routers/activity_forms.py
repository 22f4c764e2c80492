"""Forms of activities (报名表单): the questions, one's own answers, everybody's answers."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import Response

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, RESIDENT, allow
from app.api.deps import Caller, CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.activity_forms import ActivityFormIn, ActivityFormOut, ParticipantAnswersOut
from app.schemas.answers import AnswersIn, OwnAnswersOut
from app.schemas.exports import Column
from app.services import activities, activity_forms
from app.services.activities import ActivityNotFound, ActivityNotOpen, ActivityWrongState
from app.services.activity_forms import (
    ActivityFormAnswered,
    ActivityFormNotFound,
    AnswersClosed,
    VersionReplaced,
)
from app.services.eligibility import NotEligible
from app.services.people import Forbidden

ABOUT = Bilingual(
    "活动的报名表单：题目、本人的答案、全部答案",
    "Forms of activities: the questions, one's own answers, everybody's answers",
)
router = Router(prefix="/activities/{activity_id}", tags=["activity_forms"], about=ABOUT)


@router.put(
    "/form",
    operation_id="setActivityForm",
    **allow(ORGANIZER, ActivityNotFound, ActivityWrongState, ActivityFormAnswered, body=True),
)
async def set_activity_form(
    activity_id: PathId, body: ActivityFormIn, tx: Tx, person_id: CurrentPerson
) -> ActivityFormOut:
    """Give an activity the newest version of a form; edits of the form do not change it.

    Again with the same form: its newest version by then; answers to the one before stay valid.
    Another form only while nobody has answered.
    """
    return await activity_forms.put(tx, person_id, activity_id, body)


@router.delete(
    "/form",
    status_code=204,
    operation_id="removeActivityForm",
    **allow(
        ORGANIZER, ActivityNotFound, ActivityWrongState, ActivityFormNotFound, ActivityFormAnswered
    ),
)
async def remove_activity_form(activity_id: PathId, tx: Tx, person_id: CurrentPerson) -> Response:
    """Take the form from an activity, while nobody has answered."""
    await activity_forms.remove(tx, person_id, activity_id)
    return Response(status_code=204)


@router.get(
    "/form",
    operation_id="getActivityForm",
    **allow(ANYONE, ActivityNotFound, ActivityFormNotFound),
)
@leads_to("answerActivityForm", {"activity_id": "activity_id"})
async def get_activity_form(activity_id: PathId, tx: Reader, caller: Caller) -> ActivityFormOut:
    """Return what those who sign up are asked, and the caller's own answers."""
    return await activity_forms.get(tx, caller, activity_id)


@router.put(
    "/answers",
    operation_id="answerActivityForm",
    **allow(
        RESIDENT,
        ActivityNotFound,
        ActivityNotOpen,
        ActivityFormNotFound,
        AnswersClosed,
        VersionReplaced,
        NotEligible,
        body=True,
    ),
)
async def answer_activity_form(
    activity_id: PathId, body: AnswersIn, tx: Tx, person_id: CurrentPerson
) -> OwnAnswersOut:
    """Answer the form of an activity, before or after signing up, until it begins.

    The answers take the place of earlier ones. Pictures are uploaded first, to the subject
    `answer_draft` with the caller's own id. Who is under 14 needs a guardian's consent.
    """
    return await activity_forms.answer(tx, person_id, activity_id, body)


@router.get(
    "/answers",
    operation_id="listActivityAnswers",
    **allow(RESIDENT, ActivityNotFound, Forbidden),
)
async def list_activity_answers(
    activity_id: PathId, tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[ParticipantAnswersOut]:
    """Return who answered what, in the order of the first answers.

    For organizers and co-organizers of the activity, and auditors: for them names are masked, and
    of texts, phone numbers, days and pictures only `*` is shown. Files have a column a question.
    """
    return await activity_forms.browse(tx, person_id, activity_id, page)


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return await activities.org_of(tx, asked["activity_id"])


async def _columns_of(tx: Session, asked: dict[str, Any]) -> Sequence[Column]:
    return await activity_forms.columns(tx, asked["activity_id"])


exports.beside(
    router,
    list_activity_answers,
    Bilingual("报名表答案", "Answers"),
    org=_org_of,
    spread=("answers", _columns_of),
)
