"""SQL of queues for rewards that are out of stock."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from app.core.db import Session
from app.models.reward_waits import RewardWait, RewardWaitState
from app.models.rewards import Reward

OPEN = (RewardWaitState.waiting, RewardWaitState.told)
Row = tuple[RewardWait, Reward, int]


async def join(session: Session, reward: UUID, person: UUID) -> UUID | None:
    """Put a person into the queue; None if he is in it."""
    values = {"reward_id": reward, "person_id": person, "state": RewardWaitState.waiting}
    done = insert(RewardWait).values(values).on_conflict_do_nothing()
    return (await session.execute(done.returning(col(RewardWait.id)))).scalar_one_or_none()


async def of_person(
    session: Session,
    person: UUID,
    before: UUID | None,
    limit: int,
    *,
    reward: UUID | None = None,
) -> Sequence[Row]:
    """Read a person's open places, newest first, each with how many wait before it."""
    other = aliased(RewardWait)
    ahead = (
        select(func.count())
        .where(
            col(other.reward_id) == col(RewardWait.reward_id),
            col(other.state) == RewardWaitState.waiting,
            col(other.id) < col(RewardWait.id),
            col(RewardWait.state) == RewardWaitState.waiting,
        )
        .correlate(RewardWait)
        .scalar_subquery()
    )
    query = (
        select(RewardWait, Reward, ahead)
        .join(Reward, col(Reward.id) == col(RewardWait.reward_id))
        .where(RewardWait.person_id == person, col(RewardWait.state).in_(OPEN))
        .order_by(col(RewardWait.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(RewardWait.id) < before)
    if reward is not None:
        query = query.where(RewardWait.reward_id == reward)
    return (await session.exec(query)).all()


async def leave(session: Session, wait: UUID, person: UUID) -> bool:
    """End a person's own place; False if there is no such one. One that is over stays."""
    mine = (col(RewardWait.id) == wait, col(RewardWait.person_id) == person)
    if (await session.exec(select(RewardWait.id).where(*mine))).first() is None:
        return False
    ended = update(RewardWait).where(*mine, col(RewardWait.state).in_(OPEN))
    await session.execute(ended.values(state=RewardWaitState.left))
    return True


async def end(session: Session, reward: UUID, person: UUID) -> None:
    """End the place of a person who has reserved the reward."""
    ended = update(RewardWait).where(
        col(RewardWait.reward_id) == reward,
        col(RewardWait.person_id) == person,
        col(RewardWait.state).in_(OPEN),
    )
    await session.execute(ended.values(state=RewardWaitState.reserved))


async def awaited(session: Session, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Read rewards for which somebody waits, in the order of their ids."""
    query = select(RewardWait.reward_id).where(RewardWait.state == RewardWaitState.waiting)
    if after is not None:
        query = query.where(col(RewardWait.reward_id) > after)
    return (
        await session.exec(query.distinct().order_by(col(RewardWait.reward_id)).limit(limit))
    ).all()


async def told(session: Session, reward: UUID) -> int:
    """Count who was told and has not reserved yet."""
    query = select(func.count()).where(
        RewardWait.reward_id == reward, RewardWait.state == RewardWaitState.told
    )
    return int((await session.exec(query)).one())


async def lock_next(session: Session, reward: UUID, number: int) -> Sequence[RewardWait]:
    """Lock the first who wait for a locked reward."""
    query = (
        select(RewardWait)
        .where(RewardWait.reward_id == reward, RewardWait.state == RewardWaitState.waiting)
        .order_by(col(RewardWait.id))
        .limit(number)
        .with_for_update()
    )
    return (await session.exec(query)).all()


async def tell(session: Session, waits: Sequence[UUID], at: datetime) -> None:
    """Mark locked places as told."""
    ids = update(RewardWait).where(col(RewardWait.id).in_(waits))
    await session.execute(ids.values(state=RewardWaitState.told, told_at=at))


async def lapse(session: Session, before: datetime) -> int:
    """End the places of who was told before a moment and has not reserved; return how many."""
    late = update(RewardWait).where(
        col(RewardWait.state) == RewardWaitState.told, col(RewardWait.told_at) <= before
    )
    ended = late.values(state=RewardWaitState.lapsed).returning(col(RewardWait.id))
    return len((await session.execute(ended)).all())
