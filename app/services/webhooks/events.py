"""Events of merchants: derived from their accounts, or written with the act.

Whatever moves points of a merchant moves its account, which numbers its transfers without a gap and
in the order of their commits. A job reads on from the last number: counters write nothing for
webhooks, and nothing is lost or read twice. What moves no account of a merchant is written by
``write`` in the transaction of the act.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.ids import new_id
from app.models.ledger import Kind, Transfer
from app.models.webhooks import WebhookEventType as Type
from app.queries.webhooks import events as queries
from app.queries.webhooks.events import NewEvent, News

KEPT = timedelta(days=90)
# What a transfer of a merchant's account tells, by its kind and what it belongs to.
_TYPES = {
    (Kind.charge, "charge"): Type.charge_made,
    (Kind.collect, "charge"): Type.charge_confirmed,
    (Kind.refund, "charge"): Type.charge_refunded,
    (Kind.collect, "redemption"): Type.order_collected,
    (Kind.refund, "redemption"): Type.order_undone,
}


async def write(
    tx: Session, merchant_id: UUID, kind: Type, at: datetime | None = None, **data: Any
) -> None:
    """Write an event of a merchant, in one statement; nothing if it has no webhook.

    ``data``: ids, amounts, times and states; no names.
    """
    plain = {name: str(one) if isinstance(one, UUID) else one for name, one in data.items()}
    event = NewEvent(new_id(), merchant_id, kind, at or now(), plain)
    await queries.write(tx, [event])


async def begin(tx: Session, merchant_id: UUID) -> None:
    """Let the events of a merchant begin now, as it gets its first webhook."""
    await queries.begin(tx, merchant_id)


async def news(tx: Session, limit: int) -> list[News]:
    """Return accounts with transfers that are not events yet."""
    return await queries.news(tx, limit)


async def derive(tx: Session, one: News, limit: int) -> int:
    """Write the events of an account's next transfers; return how many transfers were read.

    0 also if another worker does it.
    """
    position = await queries.lock_position(tx, one.account_id)
    if position is None:
        return 0
    found = await queries.transfers(tx, one.account_id, position.number, limit)
    if not found:
        return 0
    known = [
        (transfer, _TYPES.get((Kind(transfer.kind), transfer.source_type))) for _, transfer in found
    ]
    orders = await queries.orders(
        tx, [t.source_id for t, _ in known if t.source_type == "redemption"]
    )
    made = [
        NewEvent(t.id, one.merchant_id, kind, t.created_at, _data(t, orders.get(t.source_id)))
        for t, kind in known
        if kind is not None
    ]
    if made:
        await queries.write(tx, made)
    position.number = found[-1][0]
    return len(found)


async def forget(tx: Session, *, at: datetime, limit: int) -> int:
    """Delete the oldest events that are past their period; return how many."""
    return await queries.forget(tx, at - KEPT, limit)


def _data(transfer: Transfer, order: tuple[UUID, int] | None) -> dict[str, Any]:
    data: dict[str, Any] = {
        "org_id": str(transfer.org_id),
        f"{transfer.source_type}_id": str(transfer.source_id),
        "transfer_id": str(transfer.id),
        "points": transfer.amount,
    }
    if order is not None:
        data |= {"reward_id": str(order[0]), "quantity": order[1]}
    return data
