"""Wire shapes of flags of check-ins."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.models.flags import FlagKind, FlagState
from app.schemas.base import ActivityId, Flag, In, OneLine, OrgId, Out, PersonId, example

HEADINGS = {
    "checkin_id": Bilingual("签到编号", "Check-in id"),
    "other_id": Bilingual("上一次签到编号", "Id of the check-in before it"),
    "distance_m": Bilingual("相距（米）", "Distance (m)"),
    "seconds": Bilingual("相隔（秒）", "Seconds between"),
    "people": Bilingual("坐标相同人数", "People at this position"),
    "decided_at": Bilingual("处理时间", "Decided at (Shanghai)"),
}
VALUES = {
    FlagKind: {
        FlagKind.travel: ("移动过快", "impossible travel"),
        FlagKind.coordinates: ("坐标相同", "identical coordinates"),
    },
    FlagState: {
        FlagState.open: ("待处理", "open"),
        FlagState.dismissed: ("已排除", "dismissed"),
        FlagState.confirmed: ("已确认", "confirmed"),
    },
}


class FlagOutcome(StrEnum):
    dismissed = "dismissed"
    confirmed = "confirmed"


class FlagOut(Out):
    """A doubt about a check-in. A location is never the only proof: an organizer looks at it."""

    id: UUID = Field(description="Id of the flag.")
    org_id: OrgId
    activity_id: ActivityId
    checkin_id: UUID = Field(description="Id of the check-in that is doubted.")
    person_id: PersonId
    display_name: PersonName = Field(description="Name of the person.")
    kind: FlagKind = Field(description="Why it is doubted.")
    state: FlagState = Field(description="Whether it is decided, and how.")
    other_id: UUID | None = Field(
        description="Id of the check-in before it, of `travel`; else null."
    )
    distance_m: int | None = Field(description="Metres between the two, of `travel`; else null.")
    seconds: int | None = Field(description="Seconds between the two, of `travel`; else null.")
    people: int | None = Field(
        description="How many people reported the very same position within ten minutes, of"
        " `coordinates`; else null."
    )
    created_at: datetime = Field(description="When it was found, in UTC.")
    decided_at: datetime | None = Field(description="When it was decided, in UTC; null: not yet.")
    reason: str | None = Field(description="Why it was decided so; null: not yet.")


class FlagDecisionIn(
    In, json_schema_extra=example({"outcome": "dismissed", "reason": "现场确认本人到场"})
):
    """``annul``: the check-in is annulled too, its points and hours are reversed."""

    outcome: FlagOutcome = Field(description="Whether the doubt was right.")
    annul: Flag = Field(
        default=False, description="True: annul the check-in as well; of `confirmed` alone."
    )
    reason: Annotated[str, OneLine(200)] = Field(
        description="Why. The person reads it if the check-in is annulled."
    )
