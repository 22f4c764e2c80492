"""What an operation adds to the OpenAPI document, declared above its handler.

@router.post("/redemptions", operation_id="redeem", …)
@leads_to("cancelRedemption", {"redemption_id": "id"})
async def redeem(…) -> …: ...
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass
class Additions:
    """``links``: for each operation that may follow, its inputs as JSON pointers into the reply."""

    links: dict[str, Mapping[str, str]] = field(default_factory=dict)
    naturally_idempotent: bool = False
    no_store: bool = False


def additions_of(handler: Callable[..., Any]) -> Additions:
    found: Additions = handler.__dict__.setdefault("openapi_additions", Additions())
    return found


def leads_to(operation_id: str, inputs: Mapping[str, str]) -> Callable[[Handler], Handler]:
    """Link the reply to an operation that may follow.

    ``inputs``: a parameter of that operation, or ``body.`` and a field of its body; and
    where its value stands in the reply, like ``items/0/id``.
    """

    def declare(handler: Handler) -> Handler:
        additions = additions_of(handler)
        additions.links = {operation_id: inputs} | additions.links  # the lowest line runs first
        return handler

    return declare


def naturally_idempotent(handler: Handler) -> Handler:
    """Document that a second call gets 200 and the first result, without an Idempotency-Key."""
    additions_of(handler).naturally_idempotent = True
    return handler


def no_store(handler: Handler) -> Handler:
    """Document that the reply is ``Cache-Control: no-store``: it has no ETag and never is 304."""
    additions_of(handler).no_store = True
    return handler
