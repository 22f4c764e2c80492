"""Wire shapes of reviews of many awards at once."""

from typing import Annotated

from pydantic import Field

from app.core.language import Worded
from app.schemas.awards.proposals import distinct
from app.schemas.awards.reading import AwardOut
from app.schemas.base import AwardId, Flag, Id, In, OneLine, Out, example

MAX_REVIEWS = 200


class ApprovalsIn(
    In,
    json_schema_extra=example(
        {
            "award_ids": [
                "019da7e0-5b3c-7a41-9c56-2f6f0f0a7b11",
                "019da7e0-5b3c-7a41-9c56-2f6f0f0a7b12",
            ],
            "partial": True,
        }
    ),
):
    """Awards to review together: what is named first fills the caps first.

    ``partial``: false: all, or none; true: those that nothing speaks against.
    """

    award_ids: Annotated[
        list[Id],
        Field(min_length=1, max_length=MAX_REVIEWS, json_schema_extra={"uniqueItems": True}),
        distinct("同一积分记录重复出现", "an award is named twice"),
    ] = Field(description="Ids of the awards, each once; the first fills the caps first.")
    partial: Flag = Field(
        default=False,
        description="True: review those that nothing speaks against; false: all or none.",
    )


class RejectionsIn(
    ApprovalsIn,
    json_schema_extra=example(
        {
            "award_ids": [
                "019da7e0-5b3c-7a41-9c56-2f6f0f0a7b11",
                "019da7e0-5b3c-7a41-9c56-2f6f0f0a7b12",
            ],
            "partial": True,
            "reason": "没有附上文件",
        }
    ),
):
    """``reason``: one for all; shown to the people and in the audit trail."""

    reason: Annotated[str, OneLine(200)] = Field(
        description="Why, for all of them. The people read it; the audit trail keeps it."
    )


class RefusedReviewOut(Out):
    """An award that was not reviewed: the code, message and facts of the refusal."""

    award_id: AwardId
    code: str = Field(description="Code of the refusal.")
    msg: Worded = Field(description="The sentence, in the language of the request.")
    facts: dict[str, str] = Field(description="Facts of the refusal, such as `status`.")


class ReviewsOut(Out):
    """``items``: the reviewed awards in the order of the request; ``refused``: the others."""

    items: list[AwardOut] = Field(description="The reviewed awards, in the order of the request.")
    refused: list[RefusedReviewOut] = Field(description="The awards that were not reviewed.")
