"""Ten wrong codes of cards at one merchant within ten minutes lock it for ten (decision 0050).

Over all its staff, and beside the limit of each person's guesses. The lock stands in PostgreSQL: it
outlives Redis, and a charge reads it with the merchants of the staff.
"""

from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

import structlog

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.queries import code_locks as queries
from app.queries import people as people_queries
from app.services import audit, notify
from app.services.merchants import access as merchants
from app.services.notify import DECIDERS, Message

log = structlog.get_logger(__name__)
WRONG, WITHIN, LASTS = 10, timedelta(minutes=10), timedelta(minutes=10)


class CodesLocked(Refusal):
    code, status, title = "merchants.codes_locked", 429, "Too many wrong codes"
    zh, en = (
        "付款码错误次数过多，本商户暂停扫码，请稍后再试",
        "Too many wrong card codes were entered at this merchant; try again later.",
    )
    fact_names = ("until", "retry_after")


def locked(until: datetime | None, at: datetime) -> CodesLocked | None:
    """Return the refusal of a merchant that is locked until a time, None if that is over."""
    if until is None or until <= at:
        return None
    return CodesLocked(until=until, retry_after=ceil((until - at).total_seconds()))


async def require_open(tx: Session, merchant_id: UUID) -> None:
    """Raise CodesLocked while a merchant is locked."""
    row = await queries.find(tx, merchant_id)
    if refusal := locked(row.locked_until if row else None, now()):
        raise refusal


async def count(tx: Session, merchant_id: UUID) -> None:
    """Count a wrong code; lock the merchant by the tenth, and tell its organizers."""
    row, at = await queries.lock(tx, merchant_id), now()
    if locked(row.locked_until, at) is not None:
        return  # it was under way when the lock began
    row.misses = [*(one for one in row.misses if one > at - WITHIN), at]
    if len(row.misses) >= WRONG:
        row.misses, row.locked_until = [], at + LASTS
        await _tell(tx, merchant_id, row.locked_until)
    await queries.save(tx, row)


async def _tell(tx: Session, merchant_id: UUID, until: datetime) -> None:
    log.warning("merchant_codes_locked", merchant=str(merchant_id))
    merchant = await merchants.get(tx, merchant_id)
    subject = ("merchant", merchant_id)
    facts = {"until": until.isoformat(timespec="seconds")}
    await audit.write_about(tx, None, "codes_locked", subject, merchant.org_id, facts=facts)
    told = await people_queries.nearest_holders(tx, merchant.org_id, DECIDERS, [], 1)
    said = {"title": merchant.name, "count": WRONG, "until": until}
    messages = [Message(one.person_id, subject, said) for one in told]
    await notify.send_each(tx, "code_lock_begun", messages)
