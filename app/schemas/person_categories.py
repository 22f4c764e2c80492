"""Wire shapes of categories of people, and of cohorts: lists of people with an outcome each."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual, PersonName
from app.core.validation_messages import wrong
from app.models.courtesy_grants import MOST_PEOPLE
from app.models.person_categories import PeopleCategory
from app.schemas.base import STREET, Day, Id, In, OneLine, OrgId, Out, PersonId, RecordOut, example
from app.schemas.notify import words
from app.schemas.roles import CardNumber


class CohortOutcome(StrEnum):
    """What came of somebody on a list."""

    added = "added"
    renewed = "renewed"
    there = "there"
    own = "own"
    unknown = "unknown"


VALUES = {
    PeopleCategory: {
        PeopleCategory.volunteer: ("志愿者", "volunteer"),
        PeopleCategory.council: ("青年议事会成员", "council member"),
        PeopleCategory.club_core: ("社团骨干", "core of a club"),
        PeopleCategory.rider: ("骑手", "rider"),
        PeopleCategory.student: ("学生", "student"),
        PeopleCategory.emergency_team: ("应急队员", "emergency team"),
        PeopleCategory.blood_donor: ("献血者", "blood donor"),
    },
    CohortOutcome: {
        CohortOutcome.added: ("已登记", "recorded"),
        CohortOutcome.renewed: ("已改期限", "given another last day"),
        CohortOutcome.there: ("原已登记", "there before"),
        CohortOutcome.own: ("本人，不予登记", "the caller's own"),
        CohortOutcome.unknown: ("查无此人", "nobody"),
    },
}
HEADINGS = {
    "category": Bilingual("类别", "Category"),
    "until": Bilingual("有效期至", "Until"),
    "ended_at": Bilingual("提前终止时间", "Ended at (Shanghai)"),
}
NOTICES = {
    "person_category_recorded": words(
        ("类别已登记", "PeopleCategory recorded"),
        "{org}已为您登记人员类别，有效期至 {until:day}，可享相应礼遇。",
        "{org} recorded a category of yours until {until:day}. See which courtesies it opens.",
    ),
    "person_category_ended": words(
        ("类别已终止", "PeopleCategory ended"),
        "{org}已终止为您登记的人员类别：{reason}",
        "{org} ended a category of yours: {reason}",
    ),
}
_EXAMPLE = {
    "org_id": STREET,
    "category": "rider",
    "card_nos": ["6800000000080"],
    "until": "2028-12-31",
    "reason": "2026年度新就业群体名册",
}


class CohortIn(In):
    """People by the numbers of their cards, by id, or both."""

    card_nos: Annotated[list[CardNumber], Field(max_length=MOST_PEOPLE)] = Field(
        default=[], description="Numbers of their cards; one that is repeated counts once."
    )
    person_ids: Annotated[list[Id], Field(max_length=MOST_PEOPLE)] = Field(
        default=[], description="Ids of people; one that is repeated counts once."
    )

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if len(self.card_nos) + len(self.person_ids) > MOST_PEOPLE:
            raise wrong(f"名单最多 {MOST_PEOPLE} 人", f"a list holds at most {MOST_PEOPLE} people")
        return self


class PersonCategoryIn(CohortIn, json_schema_extra=example(_EXAMPLE)):
    org_id: OrgId
    category: PeopleCategory = Field(description="The category.")
    until: Day = Field(description="The last day, in Asia/Shanghai; today or later.")
    reason: Annotated[str, OneLine(200)] = Field(
        description="Why: the list or document that says so. It stands in the audit trail."
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.card_nos and not self.person_ids:
            raise wrong("名单不能为空", "the list names nobody")
        return self


class CohortMemberOut(Out):
    """What came of one of the list. Nothing is told of who is not found."""

    card_no: str | None = Field(description="The number as it was sent; null: named by id.")
    person_id: UUID | None = Field(description="The id as it was sent; null: named by card.")
    outcome: CohortOutcome = Field(description="What came of it.")


class CohortOut(Out):
    items: list[CohortMemberOut] = Field(description="One for each name, cards before ids.")
    added: int = Field(description="How many were added, or got another last day.")


class PersonCategoryOut(RecordOut):
    person_id: PersonId
    display_name: PersonName = Field(description="Name of the person, masked.")
    category: PeopleCategory = Field(description="The category.")
    until: date = Field(description="The last day, in Asia/Shanghai.")
    reason: str = Field(description="Why it was recorded.")
    ended_at: datetime | None = Field(
        description="When an organizer ended it before that day, in UTC; null: nobody did."
    )


class MyPersonCategoryOut(Out):
    """A category of the caller, and which organisation says so."""

    id: UUID = Field(description="Id of the record.")
    org_id: OrgId
    org_name: str = Field(description="Name of the organisation.")
    category: PeopleCategory = Field(description="The category.")
    until: date = Field(description="The last day, in Asia/Shanghai.")
    reason: str = Field(description="Why it was recorded.")
    ended_at: datetime | None = Field(
        description="When an organizer ended it before that day, in UTC; null: nobody did."
    )


class PersonCategoryEndIn(In, json_schema_extra=example({"reason": "已离职"})):
    reason: Annotated[str, OneLine(200)] = Field(
        description="Why. The person reads it, and it stands in the audit trail."
    )
