"""Wire shapes of the 青享卡."""

from datetime import datetime

from app.schemas.base import Out


class CardOut(Out):
    """``tier`` follows from the last twelve months: sprout, growth, peak, honour."""

    card_no: str
    tier: str
    tier_name: str
    benefits: str
    status: str


class CardCodeOut(Out):
    """18 digits for a counter: valid once, until ``expires_at``."""

    code: str
    expires_at: datetime
