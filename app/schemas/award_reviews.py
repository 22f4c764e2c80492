"""Wire shapes of reviews of many awards at once."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Worded
from app.schemas.awards.proposals import distinct
from app.schemas.awards.reading import AwardOut
from app.schemas.base import Flag, Id, In, OneLine, Out

MAX_REVIEWS = 200


class ApprovalsIn(In):
    """Awards to review together: what is named first fills the caps first.

    ``partial``: false: all, or none; true: those that nothing speaks against.
    """

    award_ids: Annotated[
        list[Id],
        Field(min_length=1, max_length=MAX_REVIEWS, json_schema_extra={"uniqueItems": True}),
        distinct("同一积分记录重复出现", "an award is named twice"),
    ]
    partial: Flag = False


class RejectionsIn(ApprovalsIn):
    """``reason``: one for all; shown to the people and in the audit trail."""

    reason: Annotated[str, OneLine(200)]


class RefusedReviewOut(Out):
    """An award that was not reviewed: the code, message and facts of the refusal."""

    award_id: UUID
    code: str
    msg: Worded
    facts: dict[str, str]


class ReviewsOut(Out):
    """``items``: the reviewed awards in the order of the request; ``refused``: the others."""

    items: list[AwardOut]
    refused: list[RefusedReviewOut]
