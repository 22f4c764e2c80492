"""Wire shapes of who may sign up to an activity."""

from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.validation_messages import wrong
from app.schemas.base import Flag, Id, In, Out
from app.schemas.policies.documents import Key

OLDEST = 120  # years
Age = Annotated[int, Field(ge=0, le=OLDEST, strict=True)]


class EligibilityRule(StrEnum):
    """Which demand somebody does not meet."""

    min_age = "min_age"
    max_age = "max_age"
    guardian_consent = "guardian_consent"
    org = "org"
    tiers = "tiers"


class EligibilityIn(In):
    """Who may sign up; all that is given must hold. By default everybody."""

    min_age: Age | None = Field(default=None, description="Least age in years; null: any.")
    max_age: Age | None = Field(default=None, description="Greatest age in years; null: any.")
    org_id: Id | None = Field(
        default=None,
        description="Only who lives in a community of this organisation's subtree; null: anywhere.",
    )
    tiers: Annotated[list[Key], Field(max_length=10)] = Field(
        default=[], description="Only holders of a card of these tiers, by key; empty: of any."
    )
    minors_need_consent: Flag = Field(
        default=False,
        description="Whether who is under 18 needs a guardian's consent. Who is under 14 always"
        " does.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if None not in (self.min_age, self.max_age) and self.min_age > self.max_age:  # type: ignore[operator]
            raise wrong("最小年龄大于最大年龄", "min_age must not be more than max_age")
        return self


class EligibilityOut(Out):
    """Who may sign up; all that is given must hold."""

    min_age: int | None = Field(description="Least age in years; null: any.")
    max_age: int | None = Field(description="Greatest age in years; null: any.")
    org_id: UUID | None = Field(
        description="Only who lives in a community of this organisation's subtree; null: anywhere."
    )
    tiers: list[str] = Field(description="Only holders of a card of these tiers; empty: of any.")
    minors_need_consent: bool = Field(
        description="Whether who is under 18 needs a guardian's consent."
    )


EVERYBODY = EligibilityIn()


@lru_cache(maxsize=256)
def eligibility_of(column: str | None) -> EligibilityIn:
    """Return the eligibility that a column holds."""
    return EligibilityIn.model_validate_json(column) if column else EVERYBODY
