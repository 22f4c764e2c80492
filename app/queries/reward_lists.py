"""SQL of published lists of rewards."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, or_, select

from app.core.db import Session
from app.models.coverages import PriceFreeze
from app.models.reward_lists import RewardList, RewardListState
from app.models.rewards import Reward, RewardState


async def lock_rewards(session: Session, ids: Sequence[UUID], org: UUID) -> dict[UUID, Reward]:
    """Lock these rewards and all that an organisation offers, in the order of their ids."""
    query = (
        select(Reward)
        .where(
            Reward.org_id == org,
            or_(col(Reward.id).in_(ids), Reward.state == RewardState.published),
        )
        .order_by(col(Reward.id))
        .with_for_update(key_share=True)
    )
    return {one.id: one for one in await session.exec(query)}


async def last_number(session: Session, org: UUID) -> int:
    query = select(func.coalesce(func.max(RewardList.number), 0)).where(RewardList.org_id == org)
    return int((await session.exec(query)).one())


async def lock_in_state(session: Session, org: UUID, state: RewardListState) -> RewardList | None:
    """Lock the version of an organisation in a state of which there is one at most."""
    query = select(RewardList).where(RewardList.org_id == org, RewardList.state == state)
    return (await session.exec(query.with_for_update())).first()


async def due(session: Session, at: datetime, limit: int) -> Sequence[RewardList]:
    """Lock announced versions whose time has come, and that no other worker has locked.

    Those of an organisation whose prices are frozen wait for the end of the freeze.
    """
    is_frozen = select(PriceFreeze.id).where(
        PriceFreeze.org_id == RewardList.org_id, col(PriceFreeze.ended_at).is_(None)
    )
    query = (
        select(RewardList)
        .where(RewardList.state == RewardListState.announced, RewardList.effective_from <= at)
        .where(~is_frozen.exists())
        .order_by(col(RewardList.effective_from), col(RewardList.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).all()
