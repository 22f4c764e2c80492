"""SQL of codes of vouchers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.redemptions import Redemption
from app.models.rewards import Reward
from app.models.voucher_codes import VoucherCode


async def known(session: Session, reward: UUID, indexes: Sequence[bytes]) -> set[bytes]:
    """Read which of these codes a locked reward has."""
    query = select(VoucherCode.code_index).where(
        VoucherCode.reward_id == reward, col(VoucherCode.code_index).in_(indexes)
    )
    return set(await session.exec(query))


async def add(session: Session, codes: Sequence[VoucherCode]) -> None:
    session.add_all(codes)
    await session.flush()


async def begin(session: Session, reward: Reward, at: datetime) -> None:
    """Let the pieces of a locked reward be codes from now on."""
    reward.coded_at = at
    session.add(reward)
    await session.flush()


async def counts(session: Session, reward: UUID) -> tuple[int, int]:
    """Return how many codes a reward has, and how many were handed out."""
    query = select(func.count(), func.count(col(VoucherCode.redemption_id)))
    total, gone = (await session.exec(query.where(VoucherCode.reward_id == reward))).one()
    return int(total), int(gone)


async def lock_free(session: Session, reward: UUID, quantity: int) -> Sequence[UUID]:
    """Lock codes that nobody else is being given; fewer if there are not enough."""
    query = (
        select(VoucherCode.id)
        .where(VoucherCode.reward_id == reward, is_free())
        .order_by(col(VoucherCode.id))
        .limit(quantity)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).all()


async def hand_out(session: Session, ids: Sequence[UUID], redemption: UUID, at: datetime) -> int:
    """Give codes to a redemption; return how many were free."""
    given = update(VoucherCode).where(col(VoucherCode.id).in_(ids), is_free())
    values = {"redemption_id": redemption, "handed_out_at": at}
    done: Any = await session.execute(given.values(values))
    return int(done.rowcount)


def is_free() -> ColumnElement[bool]:
    """Return the condition of the update: of concurrent requests, one gets the code."""
    return col(VoucherCode.redemption_id).is_(None)


async def of_redemption(session: Session, redemption: UUID) -> Sequence[bytes]:
    query = select(VoucherCode.code_sealed).where(VoucherCode.redemption_id == redemption)
    return (await session.exec(query.order_by(col(VoucherCode.id)))).all()


async def lock_at(
    session: Session, merchant: UUID, indexes: Sequence[bytes]
) -> tuple[VoucherCode, Reward, UUID] | None:
    """Lock a code that was handed out for a voucher of a merchant; with whose it is."""
    query = (
        select(VoucherCode, Reward, Redemption.person_id)
        .join(Reward, col(Reward.id) == col(VoucherCode.reward_id))
        .join(Redemption, col(Redemption.id) == col(VoucherCode.redemption_id))
        .where(Reward.merchant_id == merchant, col(VoucherCode.code_index).in_(indexes))
        .order_by(col(VoucherCode.used_at).desc().nulls_first(), col(VoucherCode.id))
        .limit(1)
        .with_for_update(of=VoucherCode)
    )
    return (await session.exec(query)).first()


async def use(session: Session, code: UUID, staff: UUID, at: datetime) -> bool:
    """Mark a code as used; False if it was before."""
    used = update(VoucherCode).where(col(VoucherCode.id) == code, is_unused())
    values = {"used_at": at, "used_by": staff}
    done = await session.execute(used.values(values).returning(col(VoucherCode.id)))
    return done.first() is not None


def is_unused() -> ColumnElement[bool]:
    """Return the condition of the update: of concurrent requests, one uses the code."""
    return col(VoucherCode.used_at).is_(None)
