"""Decorators that add to an operation in the OpenAPI document.

@router.post("/redemptions", operation_id="redeem", …)
@leads_to("cancelRedemption", {"redemption_id": "id"})
async def redeem(…) -> …: ...
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True)
class DocumentBody:
    """A body that may be given as the document in one of its fields (``app.api.documents``)."""

    model: type[BaseModel]
    field: str


@dataclass
class Additions:
    """``links``: following operations; for each, its inputs as JSON pointers into the reply."""

    links: dict[str, Mapping[str, str]] = field(default_factory=dict)
    naturally_idempotent: bool = False
    no_store: bool = False
    direct: bool = False
    knows_caller: bool = False
    any_query: bool = False
    document: DocumentBody | None = None


def additions_of(handler: Callable[..., Any]) -> Additions:
    found: Additions = handler.__dict__.setdefault("openapi_additions", Additions())
    return found


def leads_to(operation_id: str, inputs: Mapping[str, str]) -> Callable[[Handler], Handler]:
    """Add an OpenAPI link from the reply to an operation that may follow.

    ``inputs`` maps a parameter of that operation, or ``body.`` and a field of its body, to the
    path of its value in the reply, such as ``items/0/id``.
    """

    def declare(handler: Handler) -> Handler:
        additions = additions_of(handler)
        additions.links = {operation_id: inputs} | additions.links  # decorators run bottom-up
        return handler

    return declare


def naturally_idempotent(handler: Handler) -> Handler:
    """Document that a repeated call returns 200 and the first result, without a key."""
    additions_of(handler).naturally_idempotent = True
    return handler


def no_store(handler: Handler) -> Handler:
    """Declare that a reply holds a code or a token: ``Cache-Control: no-store``, without ETag.

    ``Route`` sets the header. A test names the routes that must have it.
    """
    additions_of(handler).no_store = True
    return handler


def knows_caller(handler: Handler) -> Handler:
    """Declare that a public route on the bare request tells a caller who is logged in more.

    Other routes say so by their dependency ``Caller``.
    """
    additions_of(handler).knows_caller = True
    return handler


def any_query(handler: Handler) -> Handler:
    """Declare that others choose the query of a request, and may add parameters to it.

    On other routes an unknown one is refused.
    """
    additions_of(handler).any_query = True
    return handler


def takes_document(model: type[BaseModel], field: str) -> Callable[[Handler], Handler]:
    """Declare that the document in a field of a body may be the whole body, as text or as a file.

    The other fields of ``model`` are texts: they come from a query or a form.
    """

    def declare(handler: Handler) -> Handler:
        additions_of(handler).document = DocumentBody(model, field)
        return handler

    return declare


def direct(handler: Handler) -> Handler:
    """Declare a route with many requests: plain ones are answered by a plan (``app.api.direct``).

    ``Route`` makes the plan; a test checks that there is one for each of these routes.
    """
    additions_of(handler).direct = True
    return handler
