"""What a policy says of the 青享卡."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.schemas.policies.shapes import SHAPE


class CardTerms(BaseModel):
    """The 青享卡: how long a tier is kept when less was earned than it asks for."""

    model_config = SHAPE

    grace_days: Annotated[int, Field(ge=0, le=366)] = Field(
        default=60, description="Days for which a tier is kept; then the card goes down one tier."
    )
