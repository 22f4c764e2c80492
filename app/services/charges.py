"""Charges as their payer and the counter see them, with refunds and disputes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, keyset
from app.models.cases import Case, CaseKind
from app.models.redemptions import Charge, ChargeStatus
from app.queries import cases as case_queries
from app.queries import charges as queries
from app.queries import people as people_queries
from app.schemas.charges import CounterChargeOut, DisputeStateOut, MyChargeOut
from app.schemas.redemptions import PayerOut
from app.services import people
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff

DISPUTED_FOR = timedelta(days=30)


class ChargeNotFound(Refusal):
    code, status, title = "charges.not_found", 404, "No such charge"
    zh, en = "收款记录不存在", "There is no such charge."


async def mine(
    tx: Session, person_id: UUID, asked: PageParams, *, waiting: bool
) -> Page[MyChargeOut]:
    """Return a person's charges, newest first; ``waiting``: only those that can be confirmed."""
    at = now()

    async def read(before: UUID | None, limit: int) -> Sequence[MyChargeOut]:
        rows = await queries.page(tx, person_id, at if waiting else None, before, limit)
        return await _of_payer(tx, rows, at)

    return await keyset(
        asked,
        (UUID,),
        lambda after, limit: read(after[0] if after else None, limit),
        lambda shown: shown,
        lambda shown: (shown.id,),
    )


async def shown_to_payer(
    tx: Session, charge: Charge, merchant_name: str, at: datetime
) -> MyChargeOut:
    """Return a charge as its payer sees it at a moment."""
    return (await _of_payer(tx, [(charge, merchant_name)], at))[0]


async def at_counter(tx: Session, staff: Staff, charge_id: UUID) -> CounterChargeOut:
    """Return a charge to the merchant's staff.

    Raises Forbidden, MerchantNotYours, ChargeNotFound (another merchant's too).
    """
    merchant = await merchants.of_staff(tx, staff)
    charge = await queries.find_at(tx, charge_id, merchant.id)
    if charge is None:
        raise ChargeNotFound
    names = await people_queries.names(tx, [charge.person_id])
    went_back, disputes = await _beside(tx, [charge])
    return CounterChargeOut(
        **charge.model_dump(include=_COMMON),
        status=status_at(charge, now()),
        points_refunded=went_back[charge.id],
        person=PayerOut(display_name=people.masked(names[charge.person_id].display_name)),
        dispute=_dispute(disputes.get(charge.id)),
    )


async def refunded(tx: Session, charges: Sequence[Charge]) -> dict[UUID, int]:
    """Return the points of each charge that went back."""
    parts = await queries.refunded_in_parts(tx, [one.id for one in charges])
    return {
        one.id: one.points if one.status == ChargeStatus.refunded else parts.get(one.id, 0)
        for one in charges
    }


def status_at(charge: Charge, at: datetime) -> ChargeStatus:
    """Return the status at a moment: an overdue charge is expired, marked or not."""
    is_over = charge.expires_at is not None and charge.expires_at <= at
    if charge.status == ChargeStatus.waiting and is_over:
        return ChargeStatus.expired
    return ChargeStatus(charge.status)


def disputed_until(charge: Charge) -> datetime:
    """Return when the time to dispute a charge ends: 30 days after it was paid."""
    return (charge.settled_at or charge.created_at) + DISPUTED_FOR


_COMMON = {"id", "points", "note", "created_at", "expires_at", "settled_at", "refunded_at"}


async def _of_payer(
    tx: Session, rows: Sequence[tuple[Charge, str]], at: datetime
) -> list[MyChargeOut]:
    went_back, disputes = await _beside(tx, [charge for charge, _ in rows])
    shown = []
    for charge, merchant_name in rows:
        status, dispute = status_at(charge, at), _dispute(disputes.get(charge.id))
        until = disputed_until(charge)
        is_disputable = status == ChargeStatus.charged and dispute is None and at < until
        one = MyChargeOut(
            **charge.model_dump(include=_COMMON),
            status=status,
            merchant_id=charge.merchant_id,
            merchant_name=merchant_name,
            points_refunded=went_back[charge.id],
            disputed_until=until if is_disputable else None,
            dispute=dispute,
        )
        shown.append(one)
    return shown


async def _beside(
    tx: Session, charges: Sequence[Charge]
) -> tuple[dict[UUID, int], dict[UUID, Case]]:
    """Return the points of each charge that went back, and the dispute about it."""
    disputes = await case_queries.about(tx, CaseKind.dispute, [one.id for one in charges])
    return await refunded(tx, charges), {one.subject_id: one for one in disputes}


def _dispute(case: Case | None) -> DisputeStateOut | None:
    return DisputeStateOut.of(case) if case is not None else None
