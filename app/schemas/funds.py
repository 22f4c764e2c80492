"""Wire shapes of funds (公益银行). Amounts are whole points."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.models.funds import ReceiptKind
from app.schemas.base import In, OneLine, Out


class ReceiptIn(In):
    """Points that come in: a donation or a budget, and from whom."""

    kind: ReceiptKind
    points: Annotated[int, Field(ge=1, le=100_000_000, strict=True)]
    giver: Annotated[str, OneLine(100)]
    note: Annotated[str, OneLine(300)] | None = None


class ReceiptOut(Out):
    id: UUID
    kind: ReceiptKind
    points: int
    giver: str
    note: str
    created_at: datetime


class FundOut(Out):
    """Where all points are that were ever issued, at the end of a month or until ``as_of``.

    ``issued = available + pending + held + spent + expired + reversed``. ``received`` came
    in as donations and budgets, ``returned`` by redemptions at the fund's own counters.
    """

    month: str
    issued: int
    available: int
    pending: int
    held: int
    spent: int
    expired: int
    reversed: int
    received: int
    returned: int
    as_of: datetime | None
    is_closed: bool
