"""A merchant's counter: previews that consume nothing, and today's list."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.language import named
from app.models.cards import CodePurpose
from app.queries import cards as card_queries
from app.queries import people as people_queries
from app.schemas.counters import (
    ChargePreviewIn,
    ChargePreviewOut,
    CollectionPreviewOut,
    TodayItemOut,
    TodayOut,
)
from app.schemas.redemptions import PayerOut, StatementItemOut
from app.services import code_locks, people
from app.services.ledger import moments
from app.services.merchants import access as merchants
from app.services.merchants import statement as statements
from app.services.merchants.access import Staff
from app.services.redemptions import card_codes, collecting, proxies, undoing
from app.services.redemptions.charges import OwnCharge
from app.services.rewards import reading as rewards

LATEST = 100
_PREVIEWED = ("id", "reward_id", "quantity", "points", "expires_at")


async def preview_collection(tx: Session, staff: Staff, pickup_code: str) -> CollectionPreviewOut:
    """Tell what a pick-up code is for. Raises what ``collecting.collect`` returns."""
    merchant = await merchants.of_staff(tx, staff, sells=True)
    at = await moments.moment(tx)
    [shown] = await proxies.read(tx, [pickup_code])
    found = await collecting.to_collect(tx, merchant.id, shown.pickup_code, at)
    if found.person_id == staff.person_id:
        raise collecting.OwnRedemption
    reward = await rewards.get(tx, found.reward_id)
    return CollectionPreviewOut(
        reward_name=named(reward.name, reward.name_en),
        person=await _payer(tx, found.person_id),
        proxy=shown.out(),
        **{name: getattr(found, name) for name in _PREVIEWED},
    )


async def preview_charge(tx: Session, staff: Staff, body: ChargePreviewIn) -> ChargePreviewOut:
    """Tell whose card a code charges; not whether the points suffice.

    Raises Forbidden, MerchantNotYours, MerchantSuspended, CodesLocked, CardCodeInvalid,
    CardCodeUsed, CardSuspended, OwnCharge.
    """
    merchant = await merchants.of_staff(tx, staff, sells=True)
    await code_locks.require_open(tx, merchant.id)
    rows = await card_queries.lock_codes(tx, [body.card_code])
    row = rows.get(body.card_code)
    code = card_codes.require_usable(row, now(), CodePurpose.charge, merchant.id)
    if code.person_id == staff.person_id:
        raise OwnCharge
    payer = await _payer(tx, code.person_id)
    return ChargePreviewOut(points=body.points, person=payer, expires_at=code.expires_at)


async def today(tx: Session, staff: Staff) -> TodayOut:
    """Return today's takings and list. Raises Forbidden, MerchantNotYours."""
    at = now()
    day = local_date(at)
    found = await statements.statement(tx, staff, None, (day, day))
    undone = {item.id for item in found.items if item.kind == "undo"}
    return TodayOut(
        day=day,
        items=[_item(item, undone, at) for item in found.items[:LATEST]],
        truncated=len(found.items) > LATEST,
        **found.model_dump(exclude={"month", "since", "until", "items", "truncated"}),
    )


def _item(item: StatementItemOut, undone: Collection[UUID], at: datetime) -> TodayItemOut:
    until = item.at + undoing.WITHIN
    can = item.kind == "collect" and item.id not in undone and at < until
    return TodayItemOut(**item.model_dump(), undo_until=until if can else None)


async def _payer(tx: Session, person_id: UUID) -> PayerOut:
    names = await people_queries.names(tx, [person_id])
    return PayerOut(display_name=people.masked(names[person_id].display_name))
