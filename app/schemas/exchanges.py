"""API schemas of exchanges: a resident's points of one programme become those of another."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.schemas.base import STREET, Id, In, OrgId, Out, example

HEADINGS = {
    "agreement_id": Bilingual("协议编号", "Agreement id"),
    "to_org_id": Bilingual("转往组织", "To organisation"),
    "received": Bilingual("转入积分", "Points received"),
}


class ExchangeIn(
    In,
    json_schema_extra=example(
        {
            "agreement_id": "01900000-0000-7000-8000-000000000001",
            "org_id": STREET,
            "points": 9,
        }
    ),
):
    """Points to give, of one of the two organisations of an agreement."""

    agreement_id: Id = Field(description="Id of the agreement.")
    org_id: Id = Field(description="Id of the organisation whose points are given.")
    points: Annotated[int, Field(ge=1, le=100_000, strict=True)] = Field(
        description="Points to give at most: what is not enough for a whole point is not taken."
    )


class ExchangeOut(Out):
    """``points`` were given, ``received`` were got."""

    id: UUID = Field(description="Id of the exchange.")
    agreement_id: UUID = Field(description="Id of the agreement.")
    org_id: OrgId
    to_org_id: UUID = Field(description="Id of the organisation whose points were got.")
    points: int = Field(description="Points that were given.")
    received: int = Field(description="Points that were got; a debt in their unit is paid first.")
    expires_at: datetime = Field(description="When the points that were got expire, in UTC.")
    created_at: datetime = Field(description="When it was, in UTC.")


class ExchangedOut(ExchangeOut):
    """An exchange, and what is there now."""

    available: int = Field(description="Points left in the unit that was given.")
    to_available: int = Field(description="Points that can be spent in the unit that was got.")
