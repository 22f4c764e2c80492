"""Proposals of awards by hand, and the acts that they are for."""

from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from app.core.validation_messages import wrong
from app.schemas.awards.reading import AwardOut
from app.schemas.base import STREET, Id, In, OneLine, Out, PersonId, Text, example
from app.schemas.roles import CardNumber

T = TypeVar("T")
MAX_PEOPLE = 500
# A document's rule requires at most 20 items of evidence. The rule in force may require more: those
# of the documents of all levels above are added.
MAX_EVIDENCE = 100
RuleKey = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=40,
        description="Key of the rule in the policy.",
        examples=["commendation"],
    ),
]


def _named(evidence: dict[str, str]) -> dict[str, str]:
    if any(not name or len(name) > 40 or not name.isprintable() for name in evidence):
        zh, en = (
            "佐证项的名称为 1 至 40 个字",
            "an evidence field has a name of at most 40 characters",
        )
        raise wrong(zh, en)
    return evidence


EvidenceOfAct = Annotated[
    dict[str, Annotated[str, OneLine(500)]],
    AfterValidator(_named),
    Field(
        max_length=MAX_EVIDENCE,
        examples=[{"document": "扬青发〔2026〕3号", "public_notice": "5 日"}],
    ),
]


def distinct(zh: str, en: str) -> AfterValidator:
    """Return a validator of lists of ids or numbers that differ, also in their spelling."""

    def check(ids: list[T]) -> list[T]:
        if len(set(ids)) != len(ids):
            raise wrong(zh, en)
        return ids

    return AfterValidator(check)


class ActIn(In):
    """What an act is worth by its rule, and what proves it.

    ``evidence`` holds what the rule demands, by its names; ``grade`` chooses one of the
    rule's grades; ``points`` an amount, where the rule has ``up_to``.
    """

    quantity: Annotated[int, Field(ge=1, le=100, strict=True)] = Field(
        default=1, description="How many units of the rule: hours, sessions, items."
    )
    grade: Annotated[Text, Field(min_length=1, max_length=40, examples=["city"])] | None = Field(
        default=None, description="Key of one of the rule's grades; null: none."
    )
    points: Annotated[int, Field(ge=1, le=1_000, strict=True)] | None = Field(
        default=None, description="Points, where the rule leaves a choice (`up_to`); else null."
    )
    evidence: EvidenceOfAct = Field(
        description="What the rule demands as proof, by the names of its fields."
    )


class AwardsIn(
    ActIn,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "rule_key": "commendation",
            "grade": "town",
            "evidence": {"document": "扬青发〔2026〕3号", "public_notice": "5 日"},
            "card_nos": ["6800000000072", "6800000000080"],
        }
    ),
):
    """Points by hand: the same act of several people, named by their ids or their cards."""

    rule_key: RuleKey
    org_id: Id = Field(description="Id of the organisation that proposes it.")
    person_ids: (
        Annotated[
            list[Id],
            Field(min_length=1, max_length=MAX_PEOPLE, json_schema_extra={"uniqueItems": True}),
            distinct("同一人重复出现", "a person is named twice"),
        ]
        | None
    ) = Field(default=None, description="Ids of the people, each once; or `card_nos`.")
    card_nos: (
        Annotated[
            list[CardNumber],
            Field(min_length=1, max_length=MAX_PEOPLE, json_schema_extra={"uniqueItems": True}),
            distinct("同一卡号重复出现", "a card is named twice"),
        ]
        | None
    ) = Field(
        default=None, description="Numbers of the people's cards, each once; or `person_ids`."
    )

    @model_validator(mode="after")
    def _names_people(self) -> Self:
        if (self.person_ids is None) == (self.card_nos is None):
            raise wrong(
                "person_ids 与 card_nos 须填且只填一项",
                "either person_ids or card_nos names the people",
            )
        return self


class PersonAwardOut(Out):
    """``points_if_approved_now``: what the caps leave of the award at this moment.

    They are applied anew when it is approved: what is approved first fills them first.
    """

    person_id: PersonId
    award: AwardOut = Field(description="The award.")
    points_if_approved_now: int = Field(description="Points that the caps leave at this moment.")


class AwardsOut(Out):
    items: list[PersonAwardOut] = Field(description="The awards, in the order of the people.")
