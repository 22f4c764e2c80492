"""Wire shapes of the terms of sign-up of an activity."""

from functools import lru_cache
from typing import Annotated

from pydantic import Field

from app.models.signups import MOST_FRIENDS
from app.schemas.base import Flag, In, Out

A_WEEK, A_MONTH = 7 * 24 * 60, 30 * 24 * 60  # minutes


class SignupTermsIn(In):
    """How places are given, kept and given back. By default at once, until the start."""

    needs_approval: Flag = Field(
        default=False,
        description="Whether an organizer approves each sign-up; until then it has no place.",
    )
    offer_minutes: Annotated[int, Field(ge=5, le=A_WEEK, strict=True)] | None = Field(
        default=None,
        description="Minutes in which who moves up from the waiting list has to accept the place;"
        " null: it is theirs at once.",
    )
    cancel_until_minutes: Annotated[int, Field(ge=0, le=A_MONTH, strict=True)] = Field(
        default=0, description="Minutes before the start until which a place can be given back."
    )
    friends: Annotated[int, Field(ge=0, le=MOST_FRIENDS, strict=True)] = Field(
        default=0, description="Most friends that somebody may bring, each in a place."
    )
    no_clash: Flag = Field(
        default=True,
        description="Whether a place at a shift is refused to who has another one at that time.",
    )


class SignupTermsOut(Out):
    """How places are given, kept and given back."""

    needs_approval: bool = Field(description="Whether an organizer approves each sign-up.")
    offer_minutes: int | None = Field(
        description="Minutes in which who moves up has to accept the place; null: it is theirs."
    )
    cancel_until_minutes: int = Field(
        description="Minutes before the start until which a place can be given back."
    )
    friends: int = Field(description="Most friends that somebody may bring.")
    no_clash: bool = Field(
        description="Whether a place at a shift is refused to who has another one at that time."
    )


DEFAULT = SignupTermsIn()


def stored(terms: In) -> str | None:
    """Return what the database keeps of terms or of eligibility; None if all is by default."""
    return terms.model_dump_json(exclude_defaults=True) if terms != type(terms)() else None


@lru_cache(maxsize=256)
def terms_of(column: str | None) -> SignupTermsIn:
    """Return the terms that a column holds."""
    return SignupTermsIn.model_validate_json(column) if column else DEFAULT
