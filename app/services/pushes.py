"""What WeChat pushes to us, by its event: a noun that acts on one declares it in its service.

PUSHES = {"wxa_media_check": answer}
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import structlog
from pydantic import ValidationError

from app import services
from app.core.db import Session
from app.core.discovery import declared
from app.core.keys import FieldCipher
from app.schemas.pushes import PushedEvent
from app.services.ledger import moments

# WeChat's clock may be ahead of ours by so much.
MAX_AHEAD = timedelta(minutes=5)
log = structlog.get_logger(__name__)
# The cipher finds and seals openids.
Handler = Callable[[Session, FieldCipher, dict[str, Any]], Awaitable[None]]


@cache
def handlers() -> Mapping[str, Handler]:
    """Return what the service modules declare as ``PUSHES``, by event."""
    found: dict[str, Handler] = {}
    for one in declared(services, "PUSHES"):
        assert not one.keys() & found.keys(), f"two act on {one.keys() & found.keys()}"
        found |= one
    return found


async def receive(tx: Session, cipher: FieldCipher, message: dict[str, Any]) -> None:
    """Act on a message. One that nobody acts on, or that WeChat sends twice, does nothing.

    Nor does one that was made in the future: it would outlast whoever registers meanwhile, who is
    another person under the same openid. Raises ClockWrong: WeChat sends it again.
    """
    try:
        pushed = PushedEvent.model_validate(message)
        if pushed.event not in handlers():
            return
        if pushed.created_at is not None and await _is_ahead(tx, pushed.created_at):
            log.warning("push.ahead", alert=True, event_name=pushed.event)
            return
        await handlers()[pushed.event](tx, cipher, message)
    except ValidationError as error:  # to answer with an error would have it sent again
        log.warning("push.unreadable", alert=True, errors=error.error_count())


async def _is_ahead(tx: Session, made_at: int) -> bool:
    latest = await moments.checked_now(tx) + MAX_AHEAD
    return made_at > latest.timestamp()
