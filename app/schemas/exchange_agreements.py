"""API schemas of agreements to exchange points between two programmes. Amounts are points."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.exchanges import ExchangeAgreementState
from app.schemas.base import STREET, Flag, Id, In, Moment, OneLine, OrgId, Out, example
from app.schemas.notify import words

MAX_RATE = 10_000
MAX_POINTS = 10_000_000

VALUES = {
    ExchangeAgreementState: {
        ExchangeAgreementState.proposed: ("待对方同意", "proposed"),
        ExchangeAgreementState.agreed: ("已同意", "agreed"),
        ExchangeAgreementState.declined: ("未同意", "declined"),
        ExchangeAgreementState.ended: ("已终止", "ended"),
    }
}
NOTICES = {
    "exchange_proposed": words(
        ("积分互换待同意", "Exchange proposed"),
        "{other}提议与{org}互换积分，请答复。",
        "{other} proposes to exchange points with {org}. Please answer.",
    ),
    "exchange_decided": words(
        ("积分互换答复", "Exchange answered"),
        "{other}{accepted:同意|不同意}与{org}互换积分：{reason}",
        "{other} {accepted:agreed|declined} to exchange points with {org}: {reason}",
    ),
    "exchange_ended": words(
        ("积分互换终止", "Exchange ended"),
        "{other}终止了与{org}的积分互换：{reason}",
        "{other} ended the exchange of points with {org}: {reason}",
    ),
}
# Of either side, which has the same fields.
_OF_PARTY = {
    "org_id": Bilingual("组织编号", "organisation id"),
    "name": Bilingual("名称", "name"),
    "unit": Bilingual("积分单位", "unit"),
    "rate_points": Bilingual("折算积分", "points of the rate"),
    "max_points": Bilingual("兑出上限", "most points given"),
    "position": Bilingual("累计净收积分", "points got, net"),
    "left": Bilingual("剩余积分", "points left"),
}
_PARTIES = {"party": ("发起方", "Proposed by"), "other_party": ("对方", "Other side")}
HEADINGS = {
    "is_open": Bilingual("可兑换", "Open"),
    "decided_at": Bilingual("答复时间", "Decided at (Shanghai)"),
    "other_org_id": Bilingual("对方组织", "Other organisation"),
    **{
        f"{party}.{name}": Bilingual(f"{zh}{one.zh}", f"{en}: {one.en}")
        for party, (zh, en) in _PARTIES.items()
        for name, one in _OF_PARTY.items()
    },
}

Rate = Annotated[int, Field(ge=1, le=MAX_RATE, strict=True)]
Limit = Annotated[int, Field(ge=1, le=MAX_POINTS, strict=True)]


class ExchangeAgreementIn(
    In,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "other_org_id": "01900000-0000-7000-8000-000511703000",
            "rate_points": 3,
            "other_rate_points": 2,
            "max_points": 3000,
            "other_max_points": 2000,
            "ends_at": "2027-11-30T00:00:00Z",
        }
    ),
):
    """`rate_points` of the first organisation are worth `other_rate_points` of the other one."""

    org_id: Id = Field(description="Id of the organisation that proposes it.")
    other_org_id: Id = Field(description="Id of the organisation that has to agree.")
    rate_points: Rate = Field(description="So many points of the first organisation are worth …")
    other_rate_points: Rate = Field(description="… so many points of the other one.")
    max_points: Limit = Field(
        description="How many points the first organisation gives at most beyond what it got."
    )
    other_max_points: Limit = Field(description="The same of the other organisation.")
    starts_at: Moment | None = Field(
        default=None, description="From when residents may exchange; null: once it is agreed."
    )
    ends_at: Moment = Field(description="Until when, three years from now at most.")

    @model_validator(mode="after")
    def _are_two(self) -> Self:
        if self.org_id == self.other_org_id:
            raise wrong("须为两个不同的组织", "must be two organisations")
        return self


class AgreementDecisionIn(In, json_schema_extra=example({"accepted": True, "reason": "同意"})):
    """``accepted``: residents may exchange points from its beginning."""

    accepted: Flag = Field(description="True: it is agreed; false: it is declined.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why it was decided so.")


class AgreementEndIn(In, json_schema_extra=example({"reason": "年度结算"})):
    """Why residents may exchange no more."""

    reason: Annotated[str, OneLine(200)] = Field(description="Why it ends; the other side is told.")


class PartyOut(Out):
    """A side of an agreement. ``position``: below 0, it gave more points than it got."""

    org_id: OrgId
    name: str = Field(description="Name of the organisation.")
    unit: str = Field(description="Code of the unit of its points.")
    rate_points: int = Field(description="So many of its points are worth those of the other side.")
    max_points: int = Field(description="How many points it gives at most beyond what it got.")
    position: int = Field(
        description="Points that its clearing account got from residents by this agreement, less"
        " those that it gave them."
    )
    left: int = Field(description="Points that it can still give: `max_points + position`.")


class ExchangeAgreementOut(Out):
    """An agreement and the positions of both sides, which everybody may read.

    Who gives n points of one side gets ``n * rate_points of the other / rate_points of the one``,
    rounded down; what is not enough for a whole point is not taken.
    """

    id: UUID = Field(description="Id of the agreement.")
    party: PartyOut = Field(description="The organisation that proposed it.")
    other_party: PartyOut = Field(description="The organisation that was asked.")
    state: ExchangeAgreementState = Field(description="State of the agreement.")
    starts_at: datetime = Field(description="From when residents may exchange, in UTC.")
    ends_at: datetime = Field(description="Until when, in UTC.")
    is_open: bool = Field(description="Whether residents may exchange now.")
    decided_at: datetime | None = Field(description="When it was answered, in UTC; null: not yet.")
    ended_at: datetime | None = Field(description="When it was ended, in UTC; null: it was not.")
    created_at: datetime = Field(description="When it was proposed, in UTC.")
