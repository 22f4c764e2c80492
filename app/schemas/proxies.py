"""Wire shapes of proxies, who collect for somebody else."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.base import In, OneLine, Out, example
from app.schemas.notify import words

NOTICES = {
    "proxies_collected": words(
        ("已由他人代领", "Collected for you"),
        "「{reward}」×{quantity:n}（{points:n} 积分）已由{named:您指定的人|持代领码的人}代领。",
        "“{reward}” × {quantity:n} ({points:n point}) was collected by"
        " {named:the person whom you named|who had the proxy code}.",
    ),
}


class ProxyIn(In, json_schema_extra=example({"name": "李梅"})):
    name: Annotated[str, OneLine(20)] | None = Field(
        default=None,
        description="Who collects it; the counter reads it and asks. Null: who has the code.",
    )


class ProxyOut(Out):
    """``code`` is shown at the counter in place of the pick-up code, once."""

    id: UUID = Field(description="Id of the proxy.")
    redemption_id: UUID = Field(description="Id of the redemption.")
    code: str = Field(description="Code to show at the counter.")
    name: str | None = Field(description="Who collects it; null: who has the code.")
    created_at: datetime = Field(description="When it was made, in UTC.")
    used_at: datetime | None = Field(description="When it was used, in UTC; null: not yet.")


class ProxyShownOut(Out):
    """That somebody else collects it. ``name``: whom the counter asks for."""

    name: str | None = Field(description="Who collects it; null: whoever shows the code.")
