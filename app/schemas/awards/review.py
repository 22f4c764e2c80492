"""Reviews of awards, objections to them, and evidence that is added for the reviewers."""

from typing import Annotated

from pydantic import Field

from app.schemas.awards.proposals import EvidenceOfAct, distinct
from app.schemas.base import Flag, Id, In, OneLine, example


class AwardEvidenceIn(
    In,
    json_schema_extra=example(
        {
            "award_ids": ["019da7e0-5b3c-7a41-9c56-2f6f0f0a7b11"],
            "evidence": {"dispatch_no": "扬应急〔2026〕17号"},
        }
    ),
):
    """What the rule of awards by attendance demands beside it, the same for all of them."""

    award_ids: Annotated[
        list[Id],
        Field(min_length=1, max_length=100, json_schema_extra={"uniqueItems": True}),
        distinct("同一积分记录重复出现", "an award is named twice"),
    ] = Field(description="Ids of the awards, each once.")
    evidence: EvidenceOfAct = Field(
        description="What the rule demands as proof, by the names of its fields."
    )


class RejectionIn(In, json_schema_extra=example({"reason": "没有附上文件"})):
    reason: Annotated[str, OneLine(200)] = Field(
        description="Why. The person reads it; it stands in the audit trail."
    )


class ObjectionIn(In, json_schema_extra=example({"reason": "当天他不在现场"})):
    reason: Annotated[str, OneLine(500)] = Field(description="What speaks against the award.")


class DecisionIn(In, json_schema_extra=example({"upheld": False, "reason": "签到记录和照片都在"})):
    upheld: Flag = Field(description="True: the objection is right, the award is rejected.")
    reason: Annotated[str, OneLine(500)] = Field(description="Why it was decided so.")
