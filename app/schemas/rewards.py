"""Wire shapes of rewards."""

from uuid import UUID

from app.schemas.base import Out


class RewardOut(Out):
    """``stock_left`` of the running period; null when there is no bound."""

    id: UUID
    key: str
    name: str
    kind: str
    points: int
    stock_left: int | None
    merchant_id: UUID
    merchant_name: str
    org_id: UUID
    limit_per_member: int | None
    limit_period: str | None
    min_tier: str
