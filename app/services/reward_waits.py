"""Queues for rewards that are out of stock.

When some come in, as many people are told as there are pieces, the longest waiting first. Nothing
is kept for them: first come, first served. Who does not reserve within ``LAPSES_AFTER`` leaves the
queue, and the next ones are told.
"""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.core.paging import Page, PageParams, keyset
from app.models.rewards import RewardState
from app.queries import reward_waits as queries
from app.queries import rewards as reward_queries
from app.queries.reward_waits import Row
from app.schemas.reward_waits import RewardWaitOut
from app.services import notify
from app.services.notify import Message
from app.services.rewards import reading as rewards

LAPSES_AFTER = timedelta(minutes=30)


class InStock(Refusal):
    code, status, title = "reward_waits.in_stock", 409, "In stock"
    zh, en = "该兑换品有库存，可以直接兑换", "There are some left: reserve one."
    fact_names = ("stock_left",)


class AlreadyWaiting(Refusal):
    code, status, title = "reward_waits.waiting", 409, "In the queue already"
    zh, en = "您已在排队", "You are in the queue already."
    fact_names = ("status", "ahead")


class RewardWaitNotFound(Refusal):
    code, status, title = "reward_waits.not_found", 404, "Not in the queue"
    zh, en = "没有这条排队记录", "There is no such place in a queue."


async def join(tx: Session, person_id: UUID, reward_id: UUID) -> RewardWaitOut:
    """Queue for a reward. Raises RewardNotFound, RewardNotOffered, InStock, AlreadyWaiting."""
    found = await rewards.seen(tx, None, reward_id)
    if refusal := rewards.not_offered(found, found.merchant_state, now()):
        raise refusal
    if found.stock_left is None or found.stock_left > 0:
        raise InStock(stock_left=found.stock_left)
    made = await queries.join(tx, reward_id, person_id)
    [row] = await queries.of_person(tx, person_id, None, 1, reward=reward_id)
    shown = _to_out(row)
    if made is None:
        raise AlreadyWaiting(status=shown.state, ahead=shown.ahead)
    return shown


async def leave(tx: Session, person_id: UUID, reward_wait_id: UUID) -> None:
    """Leave a queue. Idempotent. Raises RewardWaitNotFound."""
    if not await queries.leave(tx, reward_wait_id, person_id):
        raise RewardWaitNotFound


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[RewardWaitOut]:
    """Return where the caller queues, newest first."""
    return await keyset(
        asked,
        (UUID,),
        lambda after, limit: queries.of_person(tx, person_id, after[0] if after else None, limit),
        _to_out,
        lambda row: (row[0].id,),
    )


async def awaited(tx: Session, after: UUID | None, limit: int) -> list[UUID]:
    """Return rewards for which somebody waits, in the order of their ids."""
    return list(await queries.awaited(tx, after, limit))


async def tell(tx: Session, reward_id: UUID, at: datetime) -> int:
    """Tell as many as there are pieces that nobody else was told of; return how many."""
    if await reward_queries.lock(tx, reward_id) is None:
        return 0
    found = await rewards.seen(tx, None, reward_id)
    if found.state != RewardState.published or rewards.not_offered(found, found.merchant_state, at):
        return 0
    left = found.stock_left
    told = await queries.told(tx, reward_id)
    number = 1_000 if left is None else max(left - told, 0)
    waits = await queries.lock_next(tx, reward_id, number) if number else []
    if waits:
        await queries.tell(tx, [one.id for one in waits], at)
        facts = {"reward": found.name, "until": at + LAPSES_AFTER}
        subject = ("reward", reward_id)
        messages = [Message(one.person_id, subject, facts) for one in waits]
        await notify.send_each(tx, "reward_back_in_stock", messages)
    return len(waits)


async def lapse(tx: Session, at: datetime) -> int:
    """End the places of who was told and did not reserve in time; return how many."""
    return await queries.lapse(tx, at - LAPSES_AFTER)


def _to_out(row: Row) -> RewardWaitOut:
    wait, reward, ahead = row
    values = wait.model_dump(exclude={"person_id"})
    return RewardWaitOut(**values, reward_name=named(reward.name, reward.name_en), ahead=ahead)
