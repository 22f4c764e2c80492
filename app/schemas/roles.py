"""Wire shapes of roles, and the words of their notices."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual, PersonName
from app.models.people import Role
from app.schemas.base import (
    STREET,
    Code,
    Id,
    In,
    Moment,
    Out,
    PersonId,
    example,
    require_one_name,
)
from app.schemas.notify import words

VALUES = {
    Role: {
        Role.organizer: ("组织者", "organizer"),
        Role.auditor: ("审计", "auditor"),
        Role.administrator: ("管理员", "administrator"),
        Role.merchant_staff: ("商户店员", "staff of a merchant"),
    }
}
HEADINGS = {
    "role": Bilingual("职责", "Role"),
    "org_name": Bilingual("组织", "Organisation"),
}
NOTICES = {
    "role_moved": words(
        ("任职变更", "Your roles"),
        "{given:您在|您不再在}{place}任职，详情见个人信息。",
        "{given:You have a role at|A role of yours was ended at} {place}; see your profile.",
    )
}

CardNumber = Annotated[str, Code(30), Field(description="The printed number of a card: 13 digits.")]


class RoleOut(Out):
    """A role of the caller, in force from ``starts_at`` until ``ends_at``; null: without end."""

    id: UUID = Field(description="Id of the role.")
    role: Role = Field(description="What the person may do.")
    org_id: UUID | None = Field(
        description="Id of the organisation in which the role is; null: a merchant's staff."
    )
    merchant_id: UUID | None = Field(description="Id of the merchant, of its staff; else null.")
    starts_at: datetime = Field(description="When the role begins, in UTC.")
    ends_at: datetime | None = Field(description="When the role ends, in UTC; null: without end.")


class TermIn(
    In,
    json_schema_extra=example({"role": "organizer", "org_id": STREET}),
):
    """A role and its place: an organisation, or for ``merchant_staff`` a merchant.

    ``from``: null or left out: at once; at most a year ahead. ``until``: null or left out:
    without end, or until the caller's own role as administrator ends, which it may not outlast; at
    most ten years ahead.
    """

    role: Role = Field(description="The role.")
    org_id: Id | None = Field(
        default=None,
        description="Id of the organisation in which the role is; not for `merchant_staff`.",
    )
    merchant_id: Id | None = Field(
        default=None, description="Id of the merchant; for `merchant_staff` only."
    )
    starts_at: Moment | None = Field(
        default=None,
        alias="from",
        description="When the role begins, at most a year ahead; null: at once.",
    )
    ends_at: Moment | None = Field(
        default=None,
        alias="until",
        description="When the role ends, at most ten years ahead; null: as the schema says.",
    )


class RoleIn(
    TermIn,
    json_schema_extra=example(
        {
            "role": "organizer",
            "org_id": STREET,
            "card_no": "6800000000098",
        }
    ),
):
    """The person is named by the number of their card, or by id: by one of the two."""

    card_no: CardNumber | None = Field(
        default=None, description="Number of the person's card: 13 digits."
    )
    person_id: PersonId | None = Field(default=None, description="Id of the person.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        require_one_name(self.person_id, self.card_no)
        return self


class RoleHolderOut(RoleOut):
    """A role, who holds it and where. ``org_id``: for a merchant's staff null."""

    person_id: PersonId
    display_name: PersonName = Field(description="Name of the person.")
    org_name: str = Field(description="Name of the organisation in which the role is.")
    merchant_name: str | None = Field(description="Name of the merchant, of its staff; else null.")
    created_at: datetime = Field(description="When the role was granted, in UTC.")
