"""Wire shapes of activities as their readers see them."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from app.core.language import Bilingual, Worded
from app.models.activities import Category
from app.schemas.activities import ActivityOut
from app.schemas.base import OrgId, Out
from app.schemas.own_parts import OwnPartOut
from app.schemas.policies.documents import Per
from app.schemas.policies.showing import EvidenceOut

CATEGORY_NAMES = {
    Category.thought_guidance: Bilingual("思想引领", "Thought and guidance"),
    Category.culture: Bilingual("文化艺术", "Culture"),
    Category.health: Bilingual("身心健康", "Health"),
    Category.employment: Bilingual("就业创业", "Employment"),
    Category.social_life: Bilingual("婚恋交友", "Social life"),
    Category.rights_protection: Bilingual("权益维护", "Protection of rights"),
    Category.safety: Bilingual("安全防护", "Safety"),
    Category.social_practice: Bilingual("社会实践", "Social practice"),
    Category.volunteer_service: Bilingual("志愿服务", "Volunteer service"),
    Category.property_affairs: Bilingual("物业事务", "Property affairs"),
}


class ActivitySort(StrEnum):
    """By start, the earliest first; by distance; or by creation, the latest first."""

    start = "start"
    distance = "distance"
    newest = "newest"


class BroughtOut(Out):
    """What attendance brings by the rule of the activity, before the caps of each person."""

    rule_name: Worded = Field(description="Name of the rule, in the language of the request.")
    per: Per = Field(description="What is paid: an hour, a session or a shift.")
    points: int = Field(description="Points for the whole time from start to end.")
    minutes: int = Field(description="Minutes of volunteer service for the whole time.")


class BrowsedActivityOut(ActivityOut):
    """An activity with what a screen shows beside it, and the caller's part."""

    org_name: str = Field(description="Name of the organisation that holds it.")
    category_name: str = Field(description="In the language of the request.")
    brings: BroughtOut | None = Field(
        description="Null if no policy has had its rule, or if it is paid by the time of sessions."
    )
    checkin_opens_at: datetime = Field(description="When check-in opens, in UTC.")
    checkin_closes_at: datetime = Field(description="When check-in closes, in UTC.")
    distance_m: int | None = Field(
        description="Metres from the position of the request; null without one, or without a place."
    )
    mine: OwnPartOut | None = Field(description="The caller's part; null without a login.")


class ContactOut(Out):
    """Whom to ask: the organisation of the activity, or the nearest above with a contact."""

    org_id: OrgId
    org_name: str = Field(description="Name of the organisation.")
    phone: str | None = Field(description="Number to call; null: there is none.")
    note: str | None = Field(description="Whom to ask for, when, where; null: nothing is said.")


class BrowsedActivityDetailOut(BrowsedActivityOut):
    """An activity with whom to ask about it, and what its award needs beside attendance."""

    contact: ContactOut | None = Field(
        description="Whom to ask; null: no organisation above has a contact."
    )
    evidence: list[EvidenceOut] = Field(
        description="What the organizer hands in for the award of each who attended."
    )
