"""API schemas of the numbers that a card had."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.models.cards import EndReason
from app.schemas.base import Out


class EndedCardOut(Out):
    """A number that a card had, and why it ended."""

    id: UUID = Field(description="Id of the row.")
    card_no: str = Field(description="The number; for auditors with its last digits alone.")
    reason: EndReason = Field(description="Why it ended.")
    ended_at: datetime = Field(description="When it ended, in UTC.")
