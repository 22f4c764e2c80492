"""Wire shapes of grants of courtesies to a cohort."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual, Worded
from app.core.validation_messages import wrong
from app.models.courtesy_grants import MOST_COURTESIES, CourtesyGrantState
from app.models.person_categories import PeopleCategory
from app.schemas import person_categories
from app.schemas.base import STREET, Id, In, Moment, OneLine, OrgId, Out, RecordOut, example
from app.schemas.notify import words
from app.schemas.person_categories import CohortIn, CohortMemberOut

VALUES = {
    PeopleCategory: person_categories.VALUES[PeopleCategory],
    CourtesyGrantState: {
        CourtesyGrantState.granted: ("已发放", "granted"),
        CourtesyGrantState.revoked: ("已撤回", "revoked"),
    },
}
HEADINGS = {
    "category": Bilingual("类别", "Category"),
    "claim_until": Bilingual("领取截止", "Claim until (Shanghai)"),
    "people": Bilingual("发放人数", "People"),
    "claimed": Bilingual("已领取人数", "Claimed"),
}
NOTICES = {
    "courtesy_granted": words(
        ("礼包待领取", "A package for you"),
        "{org}向您发放了「{title}」，请于 {until:time} 前领取，每人一次。",
        "{org} granted you “{title}”. Claim it once, by {until:time}.",
    ),
}
_EXAMPLE = {
    "org_id": STREET,
    "title": "骑手暖心大礼包",
    "courtesy_ids": ["01900000-0000-7009-8000-000000000001"],
    "card_nos": ["6800000000080"],
    "claim_until": "2028-12-31T00:00:00+08:00",
    "reason": "新就业群体关爱行动名单",
}


class CourtesyGrantIn(CohortIn, json_schema_extra=example(_EXAMPLE)):
    """A package, for a list of people or for whoever has a category."""

    org_id: OrgId
    title: Annotated[str, OneLine(80)] = Field(description="What the package is called.")
    courtesy_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_COURTESIES)] = Field(
        description="Ids of published courtesies of the organisation, each once."
    )
    category: PeopleCategory | None = Field(
        default=None, description="For whoever has it now, instead of a list; null: for the list."
    )
    claim_until: Moment = Field(description="Until when it can be claimed, with its offset.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")

    @model_validator(mode="after")
    def _is_for_somebody(self) -> Self:
        if (self.category is None) == (not self.card_nos and not self.person_ids):
            raise wrong("名单与类别须填且只填一项", "either a list or a category says who")
        if len(set(self.courtesy_ids)) < len(self.courtesy_ids):
            raise wrong("同一礼遇只能列一次", "each courtesy may be listed once")
        return self


class CourtesyGrantOut(RecordOut):
    title: str = Field(description="What the package is called.")
    category: PeopleCategory | None = Field(description="Who got it; null: a list of people.")
    claim_until: datetime = Field(description="Until when it can be claimed, in UTC.")
    state: CourtesyGrantState = Field(description="State of the grant.")
    people: int = Field(description="How many people have it.")
    claimed: int = Field(description="How many of them claimed it.")


class CourtesyGrantedOut(CourtesyGrantOut):
    """A grant, and what came of each name of the list."""

    items: list[CohortMemberOut] = Field(
        description="One for each name, cards before ids; empty for a category."
    )


class CourtesyGrantRevocationIn(In, json_schema_extra=example({"reason": "名单有误"})):
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class GrantedCourtesyOut(Out):
    courtesy_id: UUID = Field(description="Id of the courtesy.")
    courtesy_name: Worded = Field(description="Name of the courtesy.")


class MyCourtesyGrantOut(Out):
    """A package of the caller."""

    id: UUID = Field(description="Id of the grant.")
    org_id: OrgId
    title: str = Field(description="What the package is called.")
    courtesies: list[GrantedCourtesyOut] = Field(description="What is in it.")
    created_at: datetime = Field(description="When it was granted, in UTC.")
    claim_until: datetime = Field(description="Until when it can be claimed, in UTC.")
    state: CourtesyGrantState = Field(description="State of the grant.")
    claimed_at: datetime | None = Field(
        description="When the caller claimed it, in UTC; null: not yet."
    )
