"""Wire shapes of quests and their checkpoints."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.quests import MAX_CHECKPOINTS, Quest, QuestCheckpoint, QuestState
from app.schemas.activities import LocationIn, LocationOut, location_columns, location_of
from app.schemas.awards.reading import AwardOut
from app.schemas.base import (
    STREET,
    In,
    Moment,
    OneLine,
    OrgId,
    Out,
    PublicRecordOut,
    Text,
    Version,
    example,
)

HEADINGS = {
    "needed": Bilingual("须打卡点数", "Checkpoints needed"),
}


VALUES = {
    QuestState: {
        QuestState.draft: ("草稿", "draft"),
        QuestState.published: ("进行中", "published"),
        QuestState.closed: ("已结束", "closed"),
    }
}
# Beyond that the geofence of a checkpoint would say nothing.
MAX_RADIUS_M = 5_000
Number = Annotated[int, Field(description="Number of the checkpoint in its quest, from 1.")]
_CONTENT: dict[str, Any] = {
    "title": "青年打卡江城",
    "description": "任选两处打卡。",
    "starts_at": "2028-05-04T08:00:00+08:00",
    "ends_at": "2028-05-04T20:00:00+08:00",
    "rule_key": "quest_complete",
    "needed": 2,
    "checkpoints": [
        {
            "title": "三茅青年之家",
            "location": {
                "name": "扬子中路 100 号",
                "latitude": 32.2368,
                "longitude": 119.8267,
                "radius_m": 100,
            },
        },
        {
            "title": "滨江公园",
            "location": {
                "name": "滨江公园东门",
                "latitude": 32.2412,
                "longitude": 119.8195,
                "radius_m": 200,
            },
        },
    ],
}


class CheckpointLocationIn(LocationIn):
    """A place whose poster is scanned there; ``radius_m`` in metres."""

    radius_m: Annotated[int, Field(ge=10, le=MAX_RADIUS_M, strict=True)] = Field(
        default=100, description="How far from the point the poster may be scanned, in metres."
    )


class CheckpointIn(In):
    """A checkpoint: its place, and when it is open; null: as long as the quest."""

    title: Annotated[str, OneLine(80)] = Field(description="What the checkpoint is called.")
    location: CheckpointLocationIn = Field(description="Where its poster hangs.")
    opens_at: Moment | None = Field(
        default=None, description="From when it may be visited; null: when the quest starts."
    )
    closes_at: Moment | None = Field(
        default=None, description="Until when; null: when the quest ends."
    )


class QuestEditIn(In, json_schema_extra=example(_CONTENT)):
    """The content of a quest. Its checkpoints are numbered from 1, in this order."""

    title: Annotated[str, OneLine(80)] = Field(description="What the quest is called.")
    description: Annotated[Text, Field(max_length=5000)] = Field(
        default="", description="What it is about; plain text, lines allowed."
    )
    starts_at: Moment = Field(description="When it begins, with its offset from UTC.")
    ends_at: Moment = Field(description="When it ends, with its offset from UTC.")
    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["quest_complete"])] = (
        Field(description="Key of the policy's rule by which completing it gives points.")
    )
    needed: Annotated[int, Field(ge=1, le=MAX_CHECKPOINTS, strict=True)] = Field(
        description="How many of the checkpoints complete it."
    )
    checkpoints: Annotated[list[CheckpointIn], Field(min_length=1, max_length=MAX_CHECKPOINTS)] = (
        Field(description="Its checkpoints, in their order.")
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_at >= self.ends_at:
            raise wrong("开始时间应早于结束时间", "starts_at must lie before ends_at")
        if self.needed > len(self.checkpoints):
            raise wrong("需完成的点位多于点位总数", "needed is more than there are checkpoints")
        for one in self.checkpoints:
            opens, closes = one.opens_at or self.starts_at, one.closes_at or self.ends_at
            if not self.starts_at <= opens < closes <= self.ends_at:
                raise wrong(
                    "点位的开放时间应在任务时间之内",
                    "a checkpoint is open within the time of its quest",
                )
        return self

    def columns(self) -> dict[str, Any]:
        """Return the columns of ``quests`` that it fills."""
        return self.model_dump(exclude={"org_id", "checkpoints"})

    def rows(self) -> list[dict[str, Any]]:
        """Return the columns of ``quest_checkpoints`` that it fills."""
        return [
            {
                "number": number,
                "title": one.title,
                "opens_at": one.opens_at or self.starts_at,
                "closes_at": one.closes_at or self.ends_at,
                **location_columns(one.location),
            }
            for number, one in enumerate(self.checkpoints, 1)
        ]


class QuestIn(QuestEditIn, json_schema_extra=example({"org_id": STREET} | _CONTENT)):
    org_id: OrgId


class CheckpointOut(Out):
    number: Number
    title: str = Field(description="What the checkpoint is called.")
    location: LocationOut = Field(description="Where its poster hangs.")
    opens_at: datetime = Field(description="From when it may be visited, in UTC.")
    closes_at: datetime = Field(description="Until when, in UTC.")

    @classmethod
    def of(cls, checkpoint: QuestCheckpoint) -> Self:
        row = checkpoint.model_dump()
        return cls.model_validate(row | {"location": location_of(row)})


class VisitedOut(Out):
    """A checkpoint that the caller has visited."""

    number: Number
    visited_at: datetime = Field(description="When, in UTC.")


class QuestProgressOut(Out):
    """How far the caller is in a quest."""

    done: int = Field(description="How many of its checkpoints the caller has visited.")
    needed: int = Field(description="How many complete it.")
    visited: list[VisitedOut] = Field(description="Which they are, in the order of their visits.")
    completed_at: datetime | None = Field(description="When it was complete; null before.")
    award: AwardOut | None = Field(description="What it gives; null before it is complete.")


class QuestOut(PublicRecordOut):
    """``version`` is what ``If-Match`` of an edit names."""

    title: str = Field(description="What the quest is called.")
    description: str = Field(description="What it is about; plain text.")
    starts_at: datetime = Field(description="When it begins, in UTC.")
    ends_at: datetime = Field(description="When it ends, in UTC.")
    rule_key: str = Field(description="Key of the rule by which completing it gives points.")
    needed: int = Field(description="How many of its checkpoints complete it.")
    state: QuestState = Field(description="State of the quest.")
    version: Version


class QuestDetailOut(QuestOut):
    """A quest with its checkpoints, and the caller's progress."""

    checkpoints: list[CheckpointOut] = Field(description="Its checkpoints, in their order.")
    mine: QuestProgressOut | None = Field(description="The caller's progress; null without login.")

    @classmethod
    def of(
        cls,
        quest: Quest,
        checkpoints: Sequence[QuestCheckpoint],
        mine: QuestProgressOut | None = None,
    ) -> Self:
        return cls(
            **quest.model_dump(),
            checkpoints=[CheckpointOut.of(one) for one in checkpoints],
            mine=mine,
        )
