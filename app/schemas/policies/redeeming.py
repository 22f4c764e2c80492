"""Settings of a policy document about how points are redeemed."""

from typing import Annotated

from pydantic import Field

from app.schemas.policies.shapes import Shape


class RedemptionDays(Shape):
    """So many missed redemption days (集中兑换) of an organisation, and its next one is skipped."""

    missed: Annotated[int, Field(ge=1, le=20)] = Field(
        default=2, description="How many missed redemption days let the next one be skipped."
    )
    within_days: Annotated[int, Field(ge=1, le=1_098)] = Field(
        default=366, description="Days within which they count."
    )
