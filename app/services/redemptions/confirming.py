"""Charges that their payer confirms within 60 s: held at once, then paid, refused or released.

The ledger ends the hold at ``expires_at`` (``ledger/holds``); ``expire`` writes the state.
"""

from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.errors import unwrap
from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.models.merchants import Merchant, MerchantState
from app.models.notices import NoticeKind
from app.models.redemptions import Charge, ChargeStatus
from app.models.webhooks import WebhookEventType
from app.queries import charges as queries
from app.queries.ledger import posting as ledger_queries
from app.schemas.charges import MyChargeOut
from app.services import cards, notify, orgs, records
from app.services import charges as reading
from app.services.charges import ChargeNotFound
from app.services.ledger import moments, posting
from app.services.ledger.types import (
    AccountKey,
    AlreadySettled,
    Posted,
    Posting,
    ReferenceReused,
    settlement_of,
)
from app.services.merchants import access as merchants
from app.services.merchants.access import MerchantSuspended
from app.services.policies import history
from app.services.redemptions import charges
from app.services.webhooks import events


class ChargeNotWaiting(records.WrongState):
    code, title = "charges.not_waiting", "Not waiting"
    zh, en = "该笔收款已确认、拒绝或超时", "It was confirmed or refused, or its time is over."
    fact_names = ("status", "expires_at")


async def confirm(tx: Session, person_id: UUID, charge_id: UUID) -> MyChargeOut:
    """Confirm a charge as its payer: the held points go to the merchant.

    Raises ChargeNotFound (somebody else's too), ChargeNotWaiting, CardSuspended, MerchantSuspended.
    """
    charge, at = await _waiting(tx, person_id, charge_id)
    await cards.require_active(tx, person_id)
    merchant = await merchants.get(tx, charge.merchant_id)
    if merchant.state != MerchantState.active:
        raise MerchantSuspended
    payee = AccountKey(merchant.id, Purpose.takings, charge.unit_id)
    balance = await _settle(tx, charge, merchant, ChargeStatus.charged, payee, at)
    told = charges.notice(charge, merchant=merchant.name, balance=balance)
    await notify.send_each(tx, NoticeKind.points_charged, [told])
    return await reading.shown_to_payer(tx, charge, merchant.name, at)


async def refuse(tx: Session, person_id: UUID, charge_id: UUID) -> MyChargeOut:
    """Refuse a charge as its payer: the held points come back.

    Raises ChargeNotFound, ChargeNotWaiting.
    """
    charge, at = await _waiting(tx, person_id, charge_id)
    merchant = await merchants.get(tx, charge.merchant_id)
    payee = AccountKey(person_id, Purpose.available, charge.unit_id)
    await _settle(tx, charge, merchant, ChargeStatus.refused, payee, at)
    return await reading.shown_to_payer(tx, charge, merchant.name, at)


async def overdue(tx: Session, at: datetime, limit: int) -> list[UUID]:
    """Return charges past their end that are not marked as expired."""
    return await queries.overdue(tx, at, limit)


async def expire(tx: Session, charge_id: UUID, at: datetime) -> None:
    """Mark a charge as expired and tell its payer; the points come back unless they did before.

    Does nothing if it was confirmed or refused, or is not overdue.
    """
    charge = await queries.lock(tx, charge_id)
    if charge is None or reading.status_at(charge, at) == charge.status:
        return
    merchant = await merchants.get(tx, charge.merchant_id)
    payee = AccountKey(charge.person_id, Purpose.available, charge.unit_id)
    await _settle(tx, charge, merchant, ChargeStatus.expired, payee, at)
    told = charges.notice(charge, merchant=merchant.name)
    await notify.send_each(tx, "charge_expired", [told])


async def _waiting(tx: Session, person_id: UUID, charge_id: UUID) -> tuple[Charge, datetime]:
    """Lock a charge of a payer that waits. Raises ChargeNotFound, ChargeNotWaiting."""
    charge = await queries.lock_own(tx, charge_id, person_id)
    if charge is None:
        raise ChargeNotFound
    at = await moments.moment(tx)
    status = reading.status_at(charge, at)
    if status != ChargeStatus.waiting:
        raise ChargeNotWaiting(status=status, expires_at=charge.expires_at)
    return charge, at


async def _settle(
    tx: Session,
    charge: Charge,
    merchant: Merchant,
    status: ChargeStatus,
    payee: AccountKey,
    at: datetime,
) -> int:
    """Post the end of a hold and write the state; return what the payer can spend.

    Raises ChargeNotWaiting if it was settled before, or the ledger ended the hold.
    """
    if not await queries.settle(tx, charge.id, status, at):
        raise ChargeNotWaiting(status=reading.status_at(charge, at), expires_at=charge.expires_at)
    held = AccountKey(charge.person_id, Purpose.held, charge.unit_id)
    kind = Kind.collect if status == ChargeStatus.charged else Kind.unhold
    revived_until = None
    if payee.has_lots:
        policy = await history.in_force(tx, (await orgs.get(tx, merchant.org_id)).path, at)
        revived_until = policy.revived_until(at)
    hold = await ledger_queries.find_transfer(tx, charge.id)
    assert hold is not None, "a charge that waited has its hold"
    entry = Posting(
        id=new_id(),
        payer=held,
        payee=payee,
        amount=charge.points,
        kind=kind,
        reason=charges.reason_of(kind, charge.note),
        reference=settlement_of("charge", charge.id),
        source_type="charge",
        source_id=charge.id,
        org_id=hold.org_id,
        closes_id=charge.id,
        revived_until=revived_until,
    )
    locked = await posting.lock(tx, [held, payee], at)
    [outcome] = await posting.post(tx, [entry], at, locked)
    replayed = isinstance(outcome, Posted) and outcome.replayed
    is_over = isinstance(outcome, AlreadySettled | ReferenceReused)
    # The ledger ended the hold before; whoever marks it as expired knows this.
    if is_over or (replayed and status != ChargeStatus.expired):
        raise ChargeNotWaiting(status=ChargeStatus.expired, expires_at=charge.expires_at)
    unwrap([outcome])
    charge.status, charge.settled_at = status, at
    if status != ChargeStatus.charged:  # else the merchant's account tells it
        await events.write(
            tx,
            charge.merchant_id,
            WebhookEventType.charge_released,
            at,
            charge_id=charge.id,
            points=charge.points,
            status=status,
        )
    return locked[held.available].balance
