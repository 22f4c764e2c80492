"""Wire shapes of children, and of who may fetch them."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from app.core.clock import local_date, now
from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.schemas.base import CreatedAt, Day, Flag, In, OneLine, Out, example
from app.schemas.consents import GuardianIn
from app.schemas.notify import words
from app.schemas.roles import CardNumber

HEADINGS = {
    "relation": Bilingual("关系", "Relation"),
}


OF_AGE = 18
NOTICES = {
    "child_pickup_named": words(
        ("接送人", "Who may fetch a child"),
        "您被登记为一名儿童的接送人，接送时请出示青享卡付款码。",
        "You were named as somebody who may fetch a child; show the code of your card then.",
    )
}


def _of_a_child(day: date) -> date:
    today = local_date(now())
    if day > today:
        raise wrong("出生日期应早于今天", "a birth date lies in the past")
    if day <= today - timedelta(days=366 * OF_AGE) or _years(day, today) >= OF_AGE:
        raise wrong("仅限未满十八周岁", "under 18 alone")
    return day


def _years(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


BirthDay = Annotated[
    Day, AfterValidator(_of_a_child), Field(description="Birth date; under 18 years ago.")
]
ChildName = Annotated[str, OneLine(40)]


class ChildEditIn(
    In,
    json_schema_extra=example(
        {"display_name": "张小雨", "birth_date": "2017-06-01", "may_leave_alone": False}
    ),
):
    display_name: ChildName = Field(description="The child's name.")
    birth_date: BirthDay
    may_leave_alone: Flag = Field(
        default=False, description="Whether the child may leave a class without being fetched."
    )


class ChildIn(
    ChildEditIn,
    json_schema_extra=example(
        {
            "display_name": "张小雨",
            "birth_date": "2017-06-01",
            "may_leave_alone": False,
            "text_version": "2026-11-29",
            "guardian": {"name": "张爱丽", "relation": "parent"},
        }
    ),
):
    """``text_version``: of the guardian's consent in force, to which the caller agrees."""

    text_version: Annotated[str, OneLine(20)] = Field(
        description="Version of the text `guardian` that was shown."
    )
    guardian: GuardianIn = Field(description="Who agrees: the caller, as the guardian.")


class PickupIn(In, json_schema_extra=example({"name": "李秀英", "relation": "外婆"})):
    """``card_no``: of a person with an account, who then shows the code of the own card."""

    name: ChildName = Field(description="Name of who may fetch the child.")
    relation: Annotated[str, OneLine(20)] = Field(description="What that is to the child.")
    card_no: CardNumber | None = Field(
        default=None, description="Number of that person's card; null: without the app."
    )


class FetcherOut(Out):
    name: str = Field(description="Name, as the guardian wrote it.")
    relation: str = Field(description="What that is to the child, as the guardian wrote it.")


class PickupOut(FetcherOut):
    """``has_card``: the person shows a card; else the guardian makes a hand-over code."""

    id: UUID = Field(description="Id of the entry.")
    has_card: bool = Field(description="Whether the person was named by a card.")
    created_at: CreatedAt


class ChildOut(Out):
    """A child of the caller, and who may fetch it beside the caller."""

    id: UUID = Field(description="Id of the child, which is a person.")
    display_name: str = Field(description="The child's name.")
    birth_date: date | None = Field(description="Birth date; null if it was erased.")
    card_no: str = Field(description="Number of the child's card.")
    may_leave_alone: bool = Field(
        description="Whether the child may leave a class without being fetched."
    )
    pickups: list[PickupOut] = Field(description="Who may fetch the child; 4 at most.")
    created_at: CreatedAt


class ChildrenOut(Out):
    items: list[ChildOut] = Field(description="The caller's children; 6 at most.")
