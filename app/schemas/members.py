"""Wire shapes of members: people as the administrators of an organisation see them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from app.models.cards import CardStatus
from app.schemas.base import In, OneLine, Out
from app.schemas.roles import RoleHolderOut


class MemberOut(Out):
    """A person of a subtree. For auditors name and card number are masked.

    ``suspended_at``: null: not suspended.
    """

    person_id: UUID
    display_name: str
    card_no: str
    card_status: CardStatus
    suspended_at: datetime | None
    created_at: datetime


class MemberDetailOut(MemberOut):
    """``roles``: in the subtree. Sign-ups that stand, check-ins, awards: numbers in the subtree."""

    roles: list[RoleHolderOut]
    signups: int
    checkins: int
    awards: int


class MemberReasonIn(In):
    """``reason`` stands in the audit trail."""

    reason: Annotated[str, OneLine(200)]
