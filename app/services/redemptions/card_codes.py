"""Codes of cards that are shown: whether they can be used here and now."""

from datetime import datetime
from uuid import UUID

import structlog

from app.core.errors import Refusal
from app.models.cards import CardStatus, CodePurpose
from app.queries.cards import CodeRow
from app.services.cards import CardSuspended

log = structlog.get_logger(__name__)
AT_COUNTERS = (CodePurpose.charge, CodePurpose.courtesy)


class CardCodeInvalid(Refusal):
    """A code that cannot be used here; only the log tells why.

    ``merchant_id``: at whose counter, if it was at one.
    """

    merchant_id: UUID | None = None

    code, status, title = "cards.code_invalid", 422, "Card code invalid"
    zh, en = "付款码无效或已过期，请刷新后重试", "The card code is not valid; refresh it."


class CardCodeUsed(Refusal):
    """Told only where the code was used: to the merchant, or to the person who used it."""

    code, status, title = "cards.code_used", 409, "Card code used"
    zh, en = "付款码已使用，请刷新后重试", "The card code has been used; refresh it."
    fact_names = ("used_at",)


def usable(code: CodeRow | None, at: datetime, purpose: CodePurpose, by: UUID) -> CodeRow | Refusal:
    """Return the code if it can be used now for a purpose, else the refusal.

    ``by``: the merchant where it is shown, else the person to whom.
    """
    why = _fault(code, at, purpose)
    if why is not None:
        log.info("card_code_refused", why=why, purpose=purpose)
    if code is not None and code.used_at is not None and code.used_by == by:
        return CardCodeUsed(used_at=code.used_at)
    if code is None or why is not None:
        refusal = CardCodeInvalid()
        refusal.merchant_id = by if purpose in AT_COUNTERS else None
        return refusal
    if code.card_status != CardStatus.active:
        return CardSuspended(status=code.card_status)
    return code


def _fault(code: CodeRow | None, at: datetime, purpose: CodePurpose) -> str | None:
    """Return why a code cannot be used, in a word for the log."""
    if code is None:
        return "unknown"
    if code.used_at is not None:
        return "used"
    if code.expires_at <= at:
        return "expired"
    if code.valid_from is not None and code.valid_from > at:
        return "early"
    return "other_purpose" if code.purpose not in (None, purpose) else None


def require_usable(code: CodeRow | None, at: datetime, purpose: CodePurpose, by: UUID) -> CodeRow:
    """Return the code, as ``usable``. Raises CardCodeInvalid, CardCodeUsed, CardSuspended."""
    found = usable(code, at, purpose, by)
    if isinstance(found, Refusal):
        raise found
    return found
